"""Does what tests ask of each library: clone URL FOLDER, shallow URL FOLDER, fetch FOLDER. Of partial clones libgit2 knows nothing."""

import sys

import pygit2

match sys.argv[1:]:
    case ["clone", url, folder]:
        pygit2.clone_repository(url, folder)
    case ["shallow", url, folder]:
        pygit2.clone_repository(url, folder, depth=1)
    case ["fetch", folder]:
        pygit2.Repository(folder).remotes["origin"].fetch()
    case words:
        sys.exit(f"{words} is not known")
