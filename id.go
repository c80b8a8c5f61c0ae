package posthorn

import (
	"encoding/base32"
	"encoding/binary"
	"strings"
	"time"

	"github.com/google/uuid"
)

// IDKind is the prefix that tells what an identifier names.
type IDKind string

// The kinds of identifier. The prefixes are those that Svix clients know.
const (
	ApplicationID IDKind = "app_"
	EndpointID    IDKind = "ep_"
	MessageID     IDKind = "msg_"
	AttemptID     IDKind = "atmpt_"
	PollerID      IDKind = "poll_"
	TaskID        IDKind = "qtask_"
	TokenID       IDKind = "tok_"
)

// DefaultOrg is the organisation that owns everything unless a token names another.
const DefaultOrg = "org_00000000000000000000000001"

// idEncoding keeps the order of the bytes it encodes, has no letters that read alike, and is safe in URLs and file names.
var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

const idLength = 26

// New returns a fresh identifier: the prefix and a UUIDv7 in 26 lower-case characters. Identifiers made by one
// process sort in the order they were made; across processes they sort by time to the millisecond.
func (k IDKind) New() string {
	return k.encode(uuid.Must(uuid.NewV7()))
}

// Valid reports whether s is an identifier of this kind, in the one spelling that New gives.
func (k IDKind) Valid(s string) bool {
	_, ok := k.decode(s)
	return ok
}

// Has reports whether s starts like an identifier of this kind. User-chosen uids may not.
func (k IDKind) Has(s string) bool { return strings.HasPrefix(s, string(k)) }

// Time returns the moment, to the millisecond, at which the identifier was made. It is the zero time if s is not valid.
func (k IDKind) Time(s string) time.Time {
	id, ok := k.decode(s)
	if !ok {
		return time.Time{}
	}
	ms := int64(binary.BigEndian.Uint64(id[:8]) >> 16)
	return time.UnixMilli(ms).UTC()
}

// Floor returns the smallest identifier that a moment can have: every identifier made at t or later sorts at or after
// it, every earlier one before. Lists use it to turn a time window into a range of identifiers.
func (k IDKind) Floor(t time.Time) string {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(max(t.UnixMilli(), 0))<<16)
	return k.encode(id)
}

func (k IDKind) encode(id uuid.UUID) string {
	b := make([]byte, len(k)+idLength)
	copy(b, k)
	idEncoding.Encode(b[len(k):], id[:])
	return string(b)
}

func (k IDKind) decode(s string) (id uuid.UUID, ok bool) {
	raw, found := strings.CutPrefix(s, string(k))
	if !found || len(raw) != idLength {
		return id, false
	}
	if n, err := idEncoding.Decode(id[:], []byte(raw)); err != nil || n != len(id) {
		return id, false
	}
	return id, k.encode(id) == s
}
