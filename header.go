package posthorn

import (
	"slices"
	"strings"
)

// sensitiveHeaders have values that open doors.
var sensitiveHeaders = []string{
	"authorization", "cookie", "proxy-authenticate", "proxy-authorization", "www-authenticate", "x-api-key", "x-auth-token",
}

// IsSensitiveHeader reports whether a header is only ever named: its value is neither shown nor kept with attempts.
func IsSensitiveHeader(name string) bool {
	return slices.Contains(sensitiveHeaders, strings.ToLower(name))
}
