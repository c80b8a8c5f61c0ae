package egress

import (
	"net/url"
	"strconv"
	"strings"
)

// urlError tells what is wrong with a URL without repeating it, as it may hold credentials.
type urlError struct{ reason string }

func (e *urlError) Error() string { return e.reason }

var (
	errURLSyntax = &urlError{"the URL is malformed"}
	errURLScheme = &urlError{"the URL is neither http nor https"}
	errURLHost   = &urlError{"the URL names no host"}
	errURLPort   = &urlError{"the URL has a port outside 1 to 65535"}
	errURLName   = &urlError{"the URL has a host that is neither a name nor an address"}
)

// checkURL returns an error unless u can be posted to.
func checkURL(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return errURLScheme
	}
	if u.Hostname() == "" {
		return errURLHost
	}
	if port := u.Port(); port != "" {
		return checkPort(port)
	}
	return nil
}

func checkPort(port string) error {
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return errURLPort
	}
	return nil
}

// PublicURL returns scheme, host and path of a URL: what may be shown and stored. User name, password, query and
// fragment often are secrets. It is empty if the URL can't be posted to.
func PublicURL(raw string) string {
	u, ok := parsePublic(raw)
	if !ok {
		return ""
	}
	return u.Scheme + "://" + u.Host + u.EscapedPath()
}

// Label returns host and path of a URL, for summaries. It is empty if the URL can't be posted to.
func Label(raw string) string {
	u, ok := parsePublic(raw)
	if !ok {
		return ""
	}
	return strings.TrimSuffix(u.Host+u.EscapedPath(), "/")
}

func parsePublic(raw string) (*url.URL, bool) {
	u, err := url.Parse(raw)
	return u, err == nil && checkURL(u) == nil
}
