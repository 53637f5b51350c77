package window

import "path/filepath"

// RevealCommand shows a file or folder, named by its absolute path, in the file
// manager of a system. Those of Linux differ, so there it is the folder. Explorer
// reads its command line in its own way, in which only the path is quoted.
func RevealCommand(goos, path string, folder bool) []string {
	switch goos {
	case "darwin":
		if folder {
			return []string{"open", path}
		}
		return []string{"open", "-R", path}
	case "windows":
		if folder {
			return []string{"explorer", `"` + path + `"`}
		}
		return []string{"explorer", `/select,"` + path + `"`}
	}
	if !folder {
		path = filepath.Dir(path)
	}
	return []string{"xdg-open", path}
}
