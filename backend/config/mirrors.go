package config

import (
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"tailrace/backend/loopback"
)

// RemoteServer is another server that streams are copied to or from. It holds no
// secret, only where one is.
type RemoteServer struct {
	URL        string
	TokenEnv   string // variable with a bearer token
	HeaderFile string // file with headers
	Insecure   bool   // plain HTTP to another machine is allowed
}

// MirrorRule is a mirror that the server runs by itself.
type MirrorRule struct {
	Name      string
	Direction string // push or pull
	Glob      string
	Remote    string // one of the remotes
}

var mirrorName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// RemoteServers are the remotes by name.
func (c *Config) RemoteServers() (map[string]RemoteServer, error) {
	out := map[string]RemoteServer{}
	for _, item := range c.Remotes {
		const want = "NAME=URL, such as prod=https://host/v1/stream/?token_env=PROD_TOKEN, with a name of its own of letters, digits, - . and _"
		name, place, ok := strings.Cut(item, "=")
		if _, taken := out[name]; !ok || taken || !mirrorName.MatchString(name) {
			return nil, wrong("remotes", item, want)
		}
		u, err := url.Parse(place)
		if err != nil || u.Host == "" || u.Fragment != "" || (u.Scheme != "http" && u.Scheme != "https") {
			return nil, wrong("remotes", item, want)
		}
		if u.User != nil {
			return nil, wrong("remotes", name+"=…", "an address without user name and password: put them into a file that header_file names")
		}
		q := u.Query()
		for key := range q {
			if !slices.Contains([]string{"token_env", "header_file", "insecure"}, key) {
				return nil, wrong("remotes", name+"=…", "only the settings token_env, header_file and insecure behind the ?, but there is %q", key)
			}
		}
		r := RemoteServer{TokenEnv: q.Get("token_env"), HeaderFile: q.Get("header_file"), Insecure: q.Get("insecure") == "true"}
		if u.Scheme == "http" && !r.Insecure && !loopback.IsName(u.Hostname()) {
			return nil, wrong("remotes", item, "https://, or insecure=true: over plain HTTP everybody on the way can read the streams and the token")
		}
		if r.HeaderFile != "" && !filepath.IsAbs(r.HeaderFile) {
			return nil, wrong("remotes", item, "an absolute path behind header_file=")
		}
		u.RawQuery = ""
		r.URL = u.String()
		out[name] = r
	}
	return out, nil
}

// MirrorRules are the mirrors.
func (c *Config) MirrorRules() (out []MirrorRule, _ error) {
	remotes, err := c.RemoteServers()
	if err != nil {
		return nil, nil // it is reported under its own key
	}
	for _, item := range c.Mirrors {
		name, rest, ok := strings.Cut(item, "=")
		words := strings.Fields(rest)
		taken := slices.ContainsFunc(out, func(r MirrorRule) bool { return r.Name == name })
		if !ok || taken || !mirrorName.MatchString(name) || len(words) != 3 || (words[0] != "push" && words[0] != "pull") {
			return nil, wrong("mirrors", item, "NAME=push GLOB REMOTE or NAME=pull GLOB REMOTE, with a name of its own")
		}
		if _, known := remotes[words[2]]; !known {
			return nil, wrong("mirrors", item, "a remote of the key remotes as the last word, but there is no %q", words[2])
		}
		out = append(out, MirrorRule{Name: name, Direction: words[0], Glob: words[1], Remote: words[2]})
	}
	return out, nil
}
