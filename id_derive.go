package posthorn

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// Derive returns the identifier that belongs to a moment and to parts: the same for the same, and different for others.
// Work that may be repeated uses it to recognise what it has made before. The identifier is as valid as one of New, and
// sorts by its moment.
func (k IDKind) Derive(at time.Time, parts ...string) string {
	digest := sha256.New()
	for _, part := range parts {
		// The length keeps "ab", "c" apart from "a", "bc".
		digest.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		digest.Write([]byte(part))
	}
	var id uuid.UUID
	copy(id[6:], digest.Sum(nil))
	binary.BigEndian.PutUint64(id[:8], uint64(max(at.UnixMilli(), 0))<<16|uint64(binary.BigEndian.Uint16(id[6:8])))
	id[6] = id[6]&0x0f | 0x70 // version 7
	id[8] = id[8]&0x3f | 0x80 // the variant of RFC 9562
	return k.encode(id)
}
