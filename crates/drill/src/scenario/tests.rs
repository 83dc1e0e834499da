//! Scenario files, good and broken.

use super::*;

const WHOLE: &str = r#"# a comment
name = "github-gone"
cut = ["GitHub.com", "api.github.com=hang", "codeload.github.com=502"]
run = ["composer", "install"]
objective = "15m"
output = ["vendor"]
"#;

#[test]
fn the_documented_file_is_read() {
    let scenario = Scenario::parse(WHOLE, "x.toml").unwrap();
    assert_eq!(scenario.name, "github-gone");
    assert_eq!(scenario.run, ["composer", "install"]);
    assert_eq!(scenario.objective, Some(Duration::from_secs(900)));
    assert_eq!(scenario.output, [PathBuf::from("vendor")]);
    assert_eq!(scenario.fault_of("github.com"), Some(Fault::Refuse));
    assert_eq!(scenario.fault_of("api.github.com"), Some(Fault::Hang));
    assert_eq!(scenario.fault_of("codeload.github.com"), Some(Fault::BadGateway));
    assert_eq!(scenario.fault_of("example.com"), None);
    assert!(!scenario.cuts_everything());
}

#[test]
fn everything_is_cut_unless_told_otherwise() {
    let scenario = Scenario::parse("name = 'n'\nrun = ['make']\n", "x.toml").unwrap();
    assert_eq!(scenario.cut, [Cut::everything()]);
    assert!(scenario.cuts_everything());
    let ad_hoc = |cuts| Scenario::ad_hoc(vec!["make".to_owned()], cuts, None, Vec::new());
    assert_eq!((ad_hoc(Vec::new()).name.as_str(), ad_hoc(Vec::new()).cut), ("all hosts cut", scenario.cut));
    assert_eq!(ad_hoc(vec!["github.com".parse().unwrap()]).name, "ad hoc");
}

#[test]
fn a_host_named_by_itself_goes_before_all() {
    let cuts = vec!["all".parse().unwrap(), "github.com=hang".parse().unwrap()];
    let scenario = Scenario::ad_hoc(vec!["make".to_owned()], cuts, None, Vec::new());
    assert_eq!(scenario.fault_of("github.com"), Some(Fault::Hang));
    assert_eq!(scenario.fault_of("example.com"), Some(Fault::Refuse));
}

#[test]
fn a_broken_file_names_line_and_way_out() {
    let check = |text: &str, expected: &str| {
        let error = Scenario::parse(text, "gone.toml").unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}\n  got      {error}\n  expected {expected}");
        assert!(error.contains("; hint: ") && !error.contains('\n'), "{error}");
    };
    check("name = \"n\"\nrunn = [\"make\"]\n", "gone.toml:2: unknown key `runn`; hint: did you mean `run`?");
    check(
        "name = 'n'\n\ntimeout = 1\n",
        "gone.toml:3: unknown key `timeout`; hint: known keys are name, cut",
    );
    check("name = \"n\nrun = []", "gone.toml:1: ");
    check("name = 'n'\nname = 'm'\n", "gone.toml:2: ");
    check("run = ['make']\n\n\n", "gone.toml:1: `name` is missing; hint: add a line such as name = ");
    check("name = 'n'\n", "gone.toml:1: `run` is missing; hint: add a line such as run = ");
    check("", "gone.toml:1: `name` is missing");
    check("name = 3", "gone.toml:1: `name` must be a text, not an integer; hint: name = ");
    check("name = ' '", "gone.toml:1: `name` is empty");
    check("name = \"a\\nb\"", "gone.toml:1: `name` is empty, longer than 80 characters, or has control");
    check(
        "name = 'n'\nrun = 'npm ci'",
        "gone.toml:2: `run` is a text, it must be a list of words; hint: run = [\"npm\", \"ci\"]",
    );
    check("name = 'n'\nrun = []", "gone.toml:2: `run` names no program");
    check("name = 'n'\nrun = ['']", "gone.toml:2: `run` names no program");
    check(
        "name = 'n'\nrun = [\n'make',\n1]",
        "gone.toml:4: `run` must be a list of texts, one is an integer",
    );
    check("cut = 'all'", "gone.toml:1: `cut` must be a list of texts, not a text");
    check("cut = []", "gone.toml:1: `cut` is empty");
    check("cut = [\n 'a',\n 'b=slow']", "gone.toml:3: unknown fault `slow`, known are refuse");
    check("cut = ['https://a']", "gone.toml:1: `https://a` is not a host name");
    check("cut = ['a',\n'A=hang']", "gone.toml:2: `a` is cut twice");
    check(
        "objective = 15",
        "gone.toml:1: `objective` must be a text, not an integer; hint: objective = \"15m\"",
    );
    check("objective = '15'", "gone.toml:1: unknown unit ``");
    check("objective = '0s'", "gone.toml:1: an `objective` of zero cannot be met");
    check("output = ['/etc']", "gone.toml:1: output \"/etc\" does not lie in the project's directory");
    check("output = ['a', '../b']", "gone.toml:1: output \"../b\" does not lie");
    check("[run]\na = 1", "gone.toml:1: `run` must be a list of texts, not a table");
    check(&"#".repeat(70_000), "gone.toml:1: the file is longer than 64 KB");
}
