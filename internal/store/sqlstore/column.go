package sqlstore

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/signing"
)

// The types here are both parameters and destinations, so that one list of fields serves an entity's inserts and
// queries. NULL stands for the zero value.

// text is a string that may be absent.
type text struct{ p *string }

func (c text) Value() (driver.Value, error) {
	if *c.p == "" {
		return nil, nil
	}
	return *c.p, nil
}

func (c text) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*c.p = ""
	case string:
		*c.p = v
	default:
		return fmt.Errorf("text column holds %T", src)
	}
	return nil
}

// moment is a time in microseconds.
type moment struct{ p *time.Time }

func (c moment) Value() (driver.Value, error) {
	if c.p.IsZero() {
		return nil, nil
	}
	return c.p.UnixMicro(), nil
}

func (c moment) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*c.p = time.Time{}
	case int64:
		*c.p = time.UnixMicro(v).UTC()
	default:
		return fmt.Errorf("time column holds %T", src)
	}
	return nil
}

// span is a duration in microseconds.
type span struct{ p *time.Duration }

func (c span) Value() (driver.Value, error) { return c.p.Microseconds(), nil }

func (c span) Scan(src any) error {
	v, ok := src.(int64)
	if !ok {
		return fmt.Errorf("duration column holds %T", src)
	}
	*c.p = time.Duration(v) * time.Microsecond
	return nil
}

// schedule is a retry schedule that may be absent, as people write it. An empty one is a text, too.
type schedule struct{ p **posthorn.Schedule }

func (c schedule) Value() (driver.Value, error) {
	if *c.p == nil {
		return nil, nil
	}
	return (*c.p).String(), nil
}

func (c schedule) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*c.p = nil
	case string:
		parsed, err := posthorn.ParseSchedule(v)
		if err != nil {
			return fmt.Errorf("a stored retry schedule is damaged: %w", err)
		}
		*c.p = &parsed
	default:
		return fmt.Errorf("schedule column holds %T", src)
	}
	return nil
}

// object is a list or map in JSON. Empty ones come back nil.
type object[T any] struct{ p *T }

func jsonOf[T any](p *T) object[T] { return object[T]{p} }

func (c object[T]) Value() (driver.Value, error) {
	encoded, err := json.Marshal(*c.p)
	if err != nil {
		return nil, err
	}
	switch s := string(encoded); s {
	case "null", "[]", "{}":
		return nil, nil
	default:
		return s, nil
	}
}

func (c object[T]) Scan(src any) error {
	var value T
	switch v := src.(type) {
	case nil:
	case string:
		if err := json.Unmarshal([]byte(v), &value); err != nil {
			return err
		}
	default:
		return fmt.Errorf("JSON column holds %T", src)
	}
	*c.p = value
	return nil
}

// content is a blob where empty and absent differ: absent is nil, empty is not.
type content struct{ p *[]byte }

func (c content) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*c.p = nil
	case []byte:
		*c.p = append([]byte{}, v...)
	default:
		return fmt.Errorf("blob column holds %T", src)
	}
	return nil
}

// secrets are kept in JSON, the keys in the clear unless the column is sealed.
type secrets struct{ p *[]posthorn.Secret }

type secretJSON struct {
	Key       string `json:"key"`
	ExpiresAt int64  `json:"expires_at,omitempty"` // in microseconds
}

func (c secrets) Value() (driver.Value, error) {
	stored := make([]secretJSON, len(*c.p))
	for i, s := range *c.p {
		stored[i].Key = s.Key.Reveal()
		if !s.ExpiresAt.IsZero() {
			stored[i].ExpiresAt = s.ExpiresAt.UnixMicro()
		}
	}
	return jsonOf(&stored).Value()
}

func (c secrets) Scan(src any) error {
	var stored []secretJSON
	if err := jsonOf(&stored).Scan(src); err != nil {
		return err
	}
	*c.p = nil
	for _, s := range stored {
		key, err := signing.ParseKey(s.Key)
		if err != nil {
			return fmt.Errorf("a stored secret is damaged: %w", err)
		}
		secret := posthorn.Secret{Key: key}
		if s.ExpiresAt != 0 {
			secret.ExpiresAt = time.UnixMicro(s.ExpiresAt).UTC()
		}
		*c.p = append(*c.p, secret)
	}
	return nil
}

// of puts a table's name before each of a list of columns.
func of(table, columns string) string {
	return table + "." + strings.ReplaceAll(columns, ", ", ", "+table+".")
}

// placeholders returns a parameter for each of a list of columns.
func placeholders(columns string) string {
	return strings.TrimSuffix(strings.Repeat("?, ", strings.Count(columns, ",")+1), ", ")
}
