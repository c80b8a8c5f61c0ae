package config

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Validate returns all problems at once, joined, each naming its flag; nil if there are none. It looks at the values
// only: whether a port is free or a folder can be written shows at the start.
func (c Config) Validate() error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }

	addresses := []struct{ flag, value string }{
		{"--listen", c.Listen},
		{"--temporal-listen", c.TemporalListen},
		{"--temporal-ui-listen", c.TemporalUIListen},
	}
	if c.Cluster.Role != Alone {
		addresses = addresses[:1]
	}
	for i, a := range addresses {
		if a.flag == "--temporal-ui-listen" && a.value == "" {
			continue
		}
		if err := checkAddress(a.value); err != nil {
			add("%s %w", a.flag, err)
			continue
		}
		for _, other := range addresses[:i] {
			if a.value == other.value && !strings.HasSuffix(a.value, ":0") {
				add("%s must differ from %s, both are %s", a.flag, other.flag, a.value)
			}
		}
	}
	if c.Cluster.Role == Alone {
		if strings.TrimSpace(c.DataDir) == "" {
			add("--data-dir must name a folder")
		}
	} else {
		c.Cluster.validate(add)
		if c.Cluster.Role.ServesAPI() && c.JWT.KeyFile == "" && strings.HasPrefix(c.JWT.Algorithm, "HS") {
			add("--jwt-key-file must name the file that signs and verifies tokens, the same for all replicas")
		}
	}
	if err := c.RetrySchedule.Check(); err != nil {
		add("--retry-schedule %w", err)
	}
	if c.AttemptTimeout < MinAttemptTimeout || c.AttemptTimeout > MaxAttemptTimeout {
		add("--attempt-timeout must be between %s and %s, not %s", MinAttemptTimeout, MaxAttemptTimeout, c.AttemptTimeout)
	}
	c.Health.validate(add)
	if c.DefaultSignatureType != HMAC256 && c.DefaultSignatureType != Ed25519 {
		add("--default-signature-type must be %s or %s, not %q", HMAC256, Ed25519, c.DefaultSignatureType)
	}
	if c.MainSecret != "" && len(c.MainSecret) < MinMainSecret {
		add("--main-secret must have at least %d bytes, not %d", MinMainSecret, len(c.MainSecret))
	}
	if c.MainSecret != "" && c.MainSecretFile != "" {
		add("--main-secret and --main-secret-file exclude each other")
	}
	for _, subnet := range c.AllowSubnets {
		if !subnet.IsValid() {
			add("--allow-subnets must be networks such as 10.0.0.0/8")
			break
		}
	}
	c.Outgoing.validate(add)
	c.JWT.validate(add)
	c.Access.validate(add)
	c.Retention.validate(add)
	if c.Durability != Full && c.Durability != Normal {
		add("--durability must be %s or %s, not %q", Full, Normal, c.Durability)
	}
	if c.LogFormat != Text && c.LogFormat != JSON {
		add("--log-format must be %s or %s, not %q", Text, JSON, c.LogFormat)
	}
	return errors.Join(problems...)
}

func checkAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("must be host:port such as 127.0.0.1:8071, not %q", address)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("must have a port between 0 and 65535, not %q", address)
	}
	return nil
}
