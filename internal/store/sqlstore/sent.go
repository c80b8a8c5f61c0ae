package sqlstore

import (
	"database/sql/driver"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/signing"
)

// sentHeader is Attempt.Sent as a line for each header, as on the wire. What follows from the attempt itself, the
// message's ID and the moment, is left out and put back: that is a third of what the hot path would have to write. It is
// scanned behind the columns that it uses.
type sentHeader struct{ a *posthorn.Attempt }

func (c sentHeader) Value() (driver.Value, error) {
	if c.a.Sent == nil {
		return nil, nil
	}
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(c.a.Sent)) {
		value := c.a.Sent[name]
		if name == signing.HeaderID && value == c.a.MessageID || name == signing.HeaderTimestamp && value == c.timestamp() {
			continue
		}
		lines.WriteString(name)
		lines.WriteByte(':')
		lines.WriteString(value)
		lines.WriteByte('\n')
	}
	return lines.String(), nil
}

func (c sentHeader) Scan(src any) error {
	c.a.Sent = nil
	if src == nil {
		return nil
	}
	var lines string
	if err := (text{&lines}).Scan(src); err != nil {
		return err
	}
	c.a.Sent = map[string]string{signing.HeaderID: c.a.MessageID, signing.HeaderTimestamp: c.timestamp()}
	for line := range strings.Lines(lines) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		c.a.Sent[name] = value
	}
	return nil
}

func (c sentHeader) timestamp() string { return strconv.FormatInt(c.a.StartedAt.Unix(), 10) }
