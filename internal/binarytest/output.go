package binarytest

import (
	"bytes"
	"strings"
	"sync"
)

// Output collects what a process prints.
type Output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed and replaced by every write
}

func newOutput() *Output { return &Output{changed: make(chan struct{})} }

func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(b)
}

func (o *Output) read() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.changed
}

func (o *Output) String() string {
	text, _ := o.read()
	return text
}

// Lines are those printed so far.
func (o *Output) Lines() []string {
	return strings.FieldsFunc(o.String(), func(r rune) bool { return r == '\n' })
}
