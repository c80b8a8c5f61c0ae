package cli

import (
	"io"
	"os"
	"strings"
	"sync"
	"unicode"
)

// sharedWriter lets several goroutines write whole lines.
type sharedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func shared(w io.Writer) *sharedWriter { return &sharedWriter{w: w} }

func (s *sharedWriter) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}

// isTerminal reports whether a stream ends at a terminal, where somebody reads along.
func isTerminal(stream any) bool {
	if s, ok := stream.(*sharedWriter); ok {
		stream = s.w
	}
	file, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// printable replaces what could steer a terminal: text from the network is not to be trusted with it.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return '�'
	}, s)
}

// shellWord quotes s for a POSIX shell where it needs to be.
func shellWord(s string) string {
	special := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./:@%+=,", r)
	}
	if s != "" && !strings.ContainsFunc(s, special) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
