package catalogue

import (
	"net/url"
	"strconv"
	"strings"
)

// lookUp follows a reference within a document, such as #/definitions/Pet. It returns nil where it leads nowhere.
func lookUp(document any, ref string) any {
	pointer, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil
	}
	at := document
	for _, token := range tokens(pointer) {
		switch v := at.(type) {
		case map[string]any:
			at = v[token]
		case []any:
			n, err := strconv.Atoi(token)
			if err != nil || n < 0 || n >= len(v) {
				return nil
			}
			at = v[n]
		default:
			return nil
		}
	}
	return at
}

// tokens splits a JSON Pointer, as it is written behind the # of a URL.
func tokens(pointer string) []string {
	if pointer == "" {
		return nil
	}
	parts := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, part := range parts {
		if unescaped, err := url.PathUnescape(part); err == nil {
			part = unescaped
		}
		parts[i] = unescapeToken(part)
	}
	return parts
}

func unescapeToken(token string) string {
	return strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
}

// escapeToken writes a key as a part of a JSON Pointer behind the # of a URL.
func escapeToken(key string) string {
	return url.PathEscape(strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1"))
}
