package postgres

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// texts are those of sqlstore that were translated, as PostgreSQL takes them.
var texts sync.Map

// The words that PostgreSQL has others for.
var (
	joined   = regexp.MustCompile(`CROSS JOIN (\w+(?:\([^)]*\))? \w+) ON`) // CROSS tells SQLite in which order to join
	unhinted = regexp.MustCompile(`([ (])\+(\w+\.)`)                       // a sign keeps SQLite from an index
	item     = regexp.MustCompile(`([\w.]+) ->> (\d+)`)
	listed   = regexp.MustCompile(`\b((?:\w\.)?(?:id|message_id|message_seq)) IN \(SELECT value FROM json_each\(\?\)\)`) // an array tells which partitions are meant

	// Payloads hang on the IDs of messages, which tell their partitions, and event IDs have a table of their own.
	elsewhere = strings.NewReplacer("message_seq = m.seq", "message_id = m.id", "message_seq", "message_id",
		"SELECT id FROM message WHERE app_id = ? AND event_id = ?", "SELECT message_id FROM message_event WHERE app_id = ? AND event_id = ?")
)

// translate returns a text of sqlstore as PostgreSQL takes it.
func translate(text string) string {
	if found, ok := texts.Load(text); ok {
		return found.(string)
	}
	translated := joined.ReplaceAllString(text, "JOIN $1 ON")
	translated = unhinted.ReplaceAllString(translated, "$1$2")
	translated = item.ReplaceAllString(translated, "json_item($1, $2)")
	translated = listed.ReplaceAllString(translated, "$1 = ANY (json_texts(?))")
	translated = strings.ReplaceAll(translated, "json_each(", "json_items(")
	translated = elsewhere.Replace(translated)
	translated = numbered(translated)
	texts.Store(text, translated)
	return translated
}

// numbered numbers the parameters of a text. No text has a question mark for anything else.
func numbered(text string) string {
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(text, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		text = after
	}
}
