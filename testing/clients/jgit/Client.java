import java.io.File;
import java.util.List;

import org.eclipse.jgit.api.CloneCommand;
import org.eclipse.jgit.api.Git;
import org.eclipse.jgit.lib.NullProgressMonitor;
import org.eclipse.jgit.transport.FilterSpec;
import org.eclipse.jgit.transport.RefSpec;
import org.eclipse.jgit.transport.Transport;
import org.eclipse.jgit.transport.URIish;

/** Does what tests ask of each library: clone URL FOLDER, shallow URL FOLDER, partial URL FOLDER, fetch FOLDER. */
public class Client {
    public static void main(String[] words) throws Exception {
        File folder = new File(words[words.length - 1]);
        CloneCommand clone = Git.cloneRepository().setURI(words[1]).setDirectory(folder);
        switch (words[0]) {
            case "clone" -> clone.call().close();
            case "shallow" -> clone.setDepth(1).call().close();
            case "partial" -> partial(words[1], folder);
            case "fetch" -> {
                try (Git git = Git.open(folder)) {
                    git.fetch().call();
                }
            }
            default -> throw new IllegalArgumentException(words[0]);
        }
    }

    /** A bare one: what is left out, JGit does not fetch later. */
    private static void partial(String url, File folder) throws Exception {
        try (Git git = Git.init().setBare(true).setDirectory(folder).call();
                Transport transport = Transport.open(git.getRepository(), new URIish(url))) {
            transport.setFilterSpec(FilterSpec.fromFilterLine("blob:none"));
            transport.fetch(NullProgressMonitor.INSTANCE, List.of(new RefSpec("+refs/heads/*:refs/heads/*")));
        }
    }
}
