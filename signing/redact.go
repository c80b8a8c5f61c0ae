package signing

import "log/slog"

// String returns a redacted form that tells the kind of the key and nothing else, such as "whsec_…(redacted)".
func (k Key) String() string {
	m := k.open()
	if m == nil {
		return "(no key)"
	}
	return m.prefix + "…(redacted)"
}

// GoString is redacted like [Key.String].
func (k Key) GoString() string {
	return "signing.Key(" + k.String() + ")"
}

// LogValue is redacted like [Key.String].
func (k Key) LogValue() slog.Value {
	return slog.StringValue(k.String())
}

// MarshalText is redacted like [Key.String], and with it whatever encoder asks for text: JSON, XML, YAML. Keys can't be
// read back from it; persist [Key.Reveal].
func (k Key) MarshalText() ([]byte, error) {
	return []byte(k.String()), nil
}
