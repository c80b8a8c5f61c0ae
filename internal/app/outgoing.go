package app

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/egress"
)

// outgoing returns what the client of the deliveries is made from.
func (a *App) outgoing() (egress.Options, error) {
	o := egress.Options{
		Timeout:       a.cfg.AttemptTimeout,
		MaxBody:       posthorn.MaxRecordedBody,
		AllowSubnets:  a.cfg.AllowSubnets,
		UserAgent:     "Posthorn/" + a.version,
		NoProxy:       a.cfg.Outgoing.NoProxy,
		SkipTLSVerify: a.cfg.Outgoing.SkipTLSVerify,
	}
	var err error
	if o.Proxy, err = a.cfg.Outgoing.ProxyURL(); err != nil {
		return o, fmt.Errorf("--proxy %w", err)
	}
	if a.cfg.Outgoing.CAFile != "" {
		if o.RootCAs, err = authorities(a.cfg.Outgoing.CAFile); err != nil {
			return o, fmt.Errorf("--ca-file %s: %w", a.cfg.Outgoing.CAFile, err)
		}
	}
	if o.SkipTLSVerify {
		a.log.Warn("--dangerous-skip-tls-verify is set: certificates of receivers are NOT verified, so whoever is on the way can read and answer deliveries")
	}
	return o, nil
}

// authorities are those of the system and those of a file in PEM.
func authorities(file string) (*x509.CertPool, error) {
	certificates, err := os.ReadFile(file)
	if err != nil {
		return nil, withoutPath(err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("reading the system's certificates: %w", err)
	}
	if !pool.AppendCertsFromPEM(certificates) {
		return nil, errors.New("there is no certificate in PEM in it")
	}
	return pool, nil
}
