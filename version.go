package posthorn

import (
	"cmp"
	"strings"
)

// HeaderPayloadVersion is the header that tells a receiver which version of the payload it got. It is not signed, and left
// out where nobody knows the version.
const HeaderPayloadVersion = "webhook-payload-version"

// PinnedVersion returns the version of payloads that the endpoint wants of an event type; empty if it doesn't say.
func (e *Endpoint) PinnedVersion(eventType string) string {
	return cmp.Or(e.PayloadVersions[eventType], e.PayloadVersion)
}

// PayloadFor returns the payload that an endpoint gets and its version: the version that the endpoint has pinned if the
// message has it, otherwise the message's own.
func (m *Message) PayloadFor(e *Endpoint) (payload []byte, version string) {
	if pinned := e.PinnedVersion(m.EventType); pinned != "" {
		if variant := m.Variants[pinned]; variant != nil {
			return variant, pinned
		}
	}
	return m.Payload, m.PayloadVersion
}

// CompareVersions orders versions of payloads, oldest first. A leading "v" doesn't count, runs of digits compare as
// numbers and all else byte by byte: 1 < v2 < 10, 1.2 < 1.10, 2025-12-01 < 2026-01-15. Only equal strings are equal.
func CompareVersions(a, b string) int {
	return cmp.Or(compareParts(trimV(a), trimV(b)), strings.Compare(a, b))
}

func trimV(version string) string {
	if len(version) > 1 && (version[0] == 'v' || version[0] == 'V') && isDigit(version[1]) {
		return version[1:]
	}
	return version
}

func compareParts(a, b string) int {
	for a != "" && b != "" {
		if isDigit(a[0]) && isDigit(b[0]) {
			var left, right string
			left, a = cutDigits(a)
			right, b = cutDigits(b)
			left, right = strings.TrimLeft(left, "0"), strings.TrimLeft(right, "0")
			if c := cmp.Or(cmp.Compare(len(left), len(right)), strings.Compare(left, right)); c != 0 {
				return c
			}
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func cutDigits(s string) (digits, rest string) {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return s[:n], s[n:]
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
