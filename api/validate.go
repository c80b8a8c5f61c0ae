package api

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	"github.com/posthorn/posthorn"
)

// Limits of the contract that more than one resource knows.
const (
	maxName        = 256 // of uids, event ids, event types and flags, in bytes
	maxChannel     = 128
	maxTags        = 5
	maxTag         = 128
	maxMetadata    = 4096 // serialised, in bytes
	maxHeaderValue = 4096
	maxURL         = 65536
	maxThrottle    = 65535
)

func invalidField(field, format string, args ...any) error {
	return posthorn.InvalidField(field, format, args...)
}

// isName reports whether s consists of letters, digits, and "-_.", at least one of them.
func isName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
	})
}

func isEventType(s string) bool { return isName(s) && len(s) <= maxName }

func checkName(field, name string, longest int) error {
	switch {
	case !isName(name):
		return invalidField(field, "must consist of letters, digits, '-', '_' and '.'")
	case len(name) > longest:
		return invalidField(field, "must have %d characters at most", longest)
	default:
		return nil
	}
}

func checkFilled(field, text string) error {
	if text == "" {
		return invalidField(field, "must not be empty")
	}
	return nil
}

// checkUID accepts a name that can't be taken for an id. Empty means none.
func checkUID(field string, kind posthorn.IDKind, uid string) error {
	if uid == "" {
		return nil
	}
	if kind.Has(uid) {
		return invalidField(field, "must not begin with %q, which marks ids", string(kind))
	}
	return checkName(field, uid, maxName)
}

func checkMetadata(metadata map[string]string) error {
	size, err := json.Marshal(metadata)
	if err != nil {
		return fmt.Errorf("measuring metadata: %w", err)
	}
	if len(metadata) > 0 && len(size) > maxMetadata {
		return invalidField("body.metadata", "must have %d bytes at most in JSON", maxMetadata)
	}
	return nil
}

func checkThrottle(rate int) error {
	if rate < 0 || rate > maxThrottle {
		return invalidField("body.throttleRate", "must be between 1 and %d", maxThrottle)
	}
	return nil
}

// checkNames checks a list of channels or event types. Nil means that none was given.
func checkNames(field string, names []string, most, longest int) error {
	if names == nil {
		return nil
	}
	if len(names) == 0 {
		return invalidField(field, "must not be empty; leave it out instead")
	}
	if most > 0 && len(names) > most {
		return invalidField(field, "must have %d items at most", most)
	}
	for i, name := range names {
		if err := checkName(fmt.Sprintf("%s[%d]", field, i), name, longest); err != nil {
			return err
		}
	}
	return nil
}

// checkTags checks the tags of a message, which may have more characters than names.
func checkTags(field string, tags []string) error {
	if len(tags) > maxTags {
		return invalidField(field, "must have %d items at most", maxTags)
	}
	for i, tag := range tags {
		field := fmt.Sprintf("%s[%d]", field, i)
		switch {
		case tag == "" || strings.ContainsFunc(tag, func(r rune) bool { return !strings.ContainsRune(`/\#`, r) && !isName(string(r)) }):
			return invalidField(field, `must consist of letters, digits, '-', '_', '.', '/', '\' and '#'`)
		case len(tag) > maxTag:
			return invalidField(field, "must have %d characters at most", maxTag)
		}
	}
	return nil
}

// checkOrderingKey refuses what can't order messages.
func checkOrderingKey(field, key string) error {
	switch {
	case strings.ContainsFunc(key, func(r rune) bool { return !strings.ContainsRune(`:/`, r) && !isName(string(r)) }):
		return invalidField(field, `must consist of letters, digits, '-', '_', '.', ':' and '/'`)
	case len(key) > maxName:
		return invalidField(field, "must have %d characters at most", maxName)
	default:
		return nil
	}
}

// unique drops what was there before, in place, and keeps the order.
func unique(names []string) []string {
	kept := names[:0]
	for _, name := range names {
		if !slices.Contains(kept, name) {
			kept = append(kept, name)
		}
	}
	return kept
}

// checkURL accepts what checkURL does, but no http where the server is set so.
func (s *Server) checkURL(raw string) error {
	if err := checkURL(raw); err != nil {
		return err
	}
	if u, err := url.Parse(raw); err == nil && s.httpsOnly && u.Scheme != "https" {
		return invalidField("body.url", "must begin with https://")
	}
	return nil
}

// checkURL accepts absolute http and https URLs. Where they lead is checked at each attempt.
func checkURL(raw string) error {
	const field = "body.url"
	if len(raw) > maxURL {
		return invalidField(field, "must have %d bytes at most", maxURL)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return invalidField(field, "must be a URL") // the reason would repeat a password in it
	case u.Scheme != "http" && u.Scheme != "https":
		return invalidField(field, "must begin with http:// or https://")
	case u.Hostname() == "":
		return invalidField(field, "must name a host")
	default:
		return nil
	}
}

// Custom headers that an endpoint can't have: they would break the request or its framing, contradict the signature,
// or pretend to come from somebody's infrastructure.
var (
	forbiddenHeaders = []string{
		"accept-encoding", "cache-control", "connection", "date", "expect", "forwarded", "host", "keep-alive",
		"proxy-connection", "server", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "via",
		"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
	}
	forbiddenHeaderPrefixes = []string{
		"content-", "webhook-", "svix-", "x-svix-", "x-amz-", "x-amzn-", "x-google", "x-goog-", "x-gfe", "x-azure-", "x-fd-",
	}
)

func checkHeader(name, value string) error {
	const field = "body.headers"
	lower := strings.ToLower(name)
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		return invalidField(field, "%q is not the name of a header", name)
	case slices.Contains(forbiddenHeaders, lower) ||
		slices.ContainsFunc(forbiddenHeaderPrefixes, func(prefix string) bool { return strings.HasPrefix(lower, prefix) }):
		return invalidField(field, "the header %s can't be set", name)
	case len(value) > maxHeaderValue:
		return invalidField(field, "the value of %s has more than %d bytes", name, maxHeaderValue)
	case !httpguts.ValidHeaderFieldValue(value) || !utf8.ValidString(value):
		return invalidField(field, "the value of %s has characters that a header can't have", name)
	default:
		return nil
	}
}

// timestamp is a moment as the API shows it: UTC, to the millisecond.
func timestamp(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// optionalTimestamp is nil for the zero time.
func optionalTimestamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = timestamp(t)
	return &t
}

// optional is nil for the zero value.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// orEmpty makes a nil map an empty one, which JSON shows as {} rather than null.
func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
