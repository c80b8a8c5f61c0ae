package cli

import "github.com/posthorn/posthorn/internal/config"

// safety is the flags about the safety of endpoints and their secrets.
type safety struct {
	EndpointHTTPSOnly    bool   `name:"endpoint-https-only" help:"Refuse endpoints whose URL is http. Those that exist stay."`
	DefaultSignatureType string `enum:"hmac256,ed25519" placeholder:"KIND" default:"${default_signature_type}" help:"Signing key that an endpoint gets unless it brings one: hmac256, a shared secret, or ed25519, a key pair."`
	MainSecret           string `placeholder:"SECRET" help:"Encrypts signing secrets and custom headers in the database; at least 16 bytes. Other users of the machine see command lines, so set the variable, or --main-secret-file. Once set it cannot be changed or left out."`
	MainSecretFile       string `placeholder:"FILE" help:"File that holds the main secret."`
}

func (s *safety) apply(cfg *config.Config) {
	cfg.EndpointHTTPSOnly = s.EndpointHTTPSOnly
	cfg.DefaultSignatureType = config.SignatureType(s.DefaultSignatureType)
	cfg.MainSecret, cfg.MainSecretFile = s.MainSecret, s.MainSecretFile
}
