package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
)

// printer returns what prints deliveries: a JSON object in a line for scripts, or a block of text for people, in which
// payloads are indented if a terminal shows them.
func printer(p *program, asObjects bool) func(delivery) {
	if asObjects {
		return func(d delivery) {
			encoder := json.NewEncoder(p.stdout)
			encoder.SetEscapeHTML(false)
			_ = encoder.Encode(d) // nobody is left to tell when standard output is gone
		}
	}
	terminal := isTerminal(p.stdout)
	return func(d delivery) { fmt.Fprint(p.stdout, deliveryText(d, terminal)) }
}

func deliveryText(d delivery, indent bool) string {
	signature := "signature ok"
	if d.Signature != "ok" {
		signature = "signature INVALID: " + d.Problem
	}
	head := []string{d.Time.Local().Format("15:04:05.000")}
	if d.EventType != "" {
		head = append(head, d.EventType)
	}
	head = append(head, cmp.Or(d.ID, "no webhook-id"), signature, fmt.Sprintf("answered %d", d.Status))
	if d.Forward != "" {
		head = append(head, "by "+d.Forward)
	}
	var payload bytes.Buffer
	if indent {
		_ = json.Indent(&payload, d.Payload, "", "  ") // asJSON has seen to it that it is JSON
	} else {
		_ = json.Compact(&payload, d.Payload)
	}
	return printable(strings.Join(head, "  ") + "\n" + payload.String() + "\n\n")
}
