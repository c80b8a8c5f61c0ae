package cli

import (
	"fmt"
	"time"

	"github.com/posthorn/posthorn/internal/config"
)

// retentionFlags say how long what happened is kept.
type retentionFlags struct {
	MessageRetention kept `placeholder:"TIME" default:"${message_retention}" help:"How long messages are kept, with deliveries and attempts; at least 48h. A message that is still being delivered is kept until that ends. 0 for ever."`
	AttemptRetention kept `placeholder:"TIME" default:"${attempt_retention}" help:"How long attempts are kept, with the responses; at least 48h. 0 as long as their messages."`
}

func (f *retentionFlags) retention() config.Retention {
	return config.Retention{Messages: time.Duration(f.MessageRetention), Attempts: time.Duration(f.AttemptRetention)}
}

// kept is a lifetime, or 0 for one without an end.
type kept lifetime

// String writes whole days, as defaults are.
func (k kept) String() string { return fmt.Sprintf("%dd", time.Duration(k)/(24*time.Hour)) }

func (k *kept) UnmarshalText(text []byte) error {
	if string(text) == "0" {
		*k = 0
		return nil
	}
	return (*lifetime)(k).UnmarshalText(text)
}
