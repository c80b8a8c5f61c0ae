package sqlstore

import (
	"context"
	"database/sql/driver"
	"maps"
	"slices"

	"github.com/posthorn/posthorn"
)

// insertVariants stores the payload's other versions.
func insertVariants(ctx context.Context, tx *Session, m *posthorn.Message, key any) error {
	for _, version := range slices.Sorted(maps.Keys(m.Variants)) {
		if err := tx.post(ctx, "INSERT INTO message_variant (message_seq, version, payload) VALUES (?, ?, ?)",
			key, version, m.Variants[version]); err != nil {
			return err
		}
	}
	return nil
}

type variant struct {
	version string
	payload []byte
}

// readVariants fills in the bytes of the payload's other versions, if the message has any and they are still there.
func readVariants(ctx context.Context, q *Session, m *posthorn.Message) error {
	if len(m.Variants) == 0 || m.Payload == nil {
		return nil
	}
	found, err := all(ctx, q, func(v *variant) []any { return []any{&v.version, content{&v.payload}} },
		"SELECT v.version, v.payload FROM message m CROSS JOIN message_variant v ON v.message_seq = m.seq WHERE m.id = ?", m.ID)
	if err != nil {
		return err
	}
	for _, v := range found {
		m.Variants[v.version] = v.payload
	}
	return nil
}

// versions are the keys of a message's variants, in JSON.
type versions struct{ p *map[string][]byte }

func (c versions) Value() (driver.Value, error) {
	keys := slices.Sorted(maps.Keys(*c.p))
	return jsonOf(&keys).Value()
}

func (c versions) Scan(src any) error {
	var keys []string
	if err := jsonOf(&keys).Scan(src); err != nil {
		return err
	}
	*c.p = nil
	if len(keys) > 0 {
		*c.p = make(map[string][]byte, len(keys))
		for _, key := range keys {
			(*c.p)[key] = nil
		}
	}
	return nil
}
