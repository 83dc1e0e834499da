// Does what tests ask of each library: clone URL FOLDER, shallow URL FOLDER, fetch FOLDER. Of partial clones go-git knows nothing.
package main

import (
	"fmt"
	"os"

	"github.com/go-git/go-git/v5"
)

func main() {
	if err := do(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func do(words []string) error {
	switch words[0] {
	case "clone":
		_, err := git.PlainClone(words[2], false, &git.CloneOptions{URL: words[1]})
		return err
	case "shallow":
		_, err := git.PlainClone(words[2], false, &git.CloneOptions{URL: words[1], Depth: 1})
		return err
	case "fetch":
		repository, err := git.PlainOpen(words[1])
		if err != nil {
			return err
		}
		if err := repository.Fetch(&git.FetchOptions{}); err != git.NoErrAlreadyUpToDate {
			return err
		}
		return nil
	}
	return fmt.Errorf("%q is not known", words[0])
}
