package api

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// minRSABits is the shortest RSA key that is taken.
const minRSABits = 2048

// DefaultAlgorithm is what signs tokens unless a setting says otherwise.
const DefaultAlgorithm = "HS256"

// algorithms are what may sign tokens. A server takes exactly one of them: what a token says about itself is compared
// with that, and never chooses.
var algorithms = []jwt.SigningMethod{
	jwt.SigningMethodHS256, jwt.SigningMethodHS384, jwt.SigningMethodHS512,
	jwt.SigningMethodRS256, jwt.SigningMethodRS384, jwt.SigningMethodRS512,
	jwt.SigningMethodEdDSA,
}

// tokenKeys sign and verify.
type tokenKeys struct {
	method  jwt.SigningMethod
	sign    any // nil if only public keys are known
	verify  jwt.VerificationKeySet
	secrets [][]byte // of HMAC
}

// parseTokenKeys reads what a key file holds: for HMAC one secret a line, for the others PEM blocks. The first that can
// sign does; all verify, so that tokens of an older key stay good while it is being replaced.
func parseTokenKeys(algorithm string, material []byte) (*tokenKeys, error) {
	i := slices.IndexFunc(algorithms, func(m jwt.SigningMethod) bool { return m.Alg() == algorithm })
	if i < 0 {
		return nil, fmt.Errorf("%q is not an algorithm for tokens", algorithm)
	}
	keys := &tokenKeys{method: algorithms[i]}
	if hmac, ok := keys.method.(*jwt.SigningMethodHMAC); ok {
		return keys, keys.addSecrets(material, hmac.Hash.Size())
	}
	return keys, keys.addPEM(material)
}

// addSecrets refuses secrets that are shorter than the hash (RFC 7518, 3.2), and PEM: who sets a public key and HMAC by
// mistake would publish the secret.
func (k *tokenKeys) addSecrets(material []byte, shortest int) error {
	if bytes.Contains(material, []byte("-----BEGIN ")) {
		return fmt.Errorf("a PEM key is not a secret for %s: choose RS256 or EdDSA", k.method.Alg())
	}
	for line := range bytes.Lines(material) {
		secret := bytes.Clone(bytes.TrimSpace(line))
		if len(secret) == 0 {
			continue
		}
		if len(secret) < shortest {
			return fmt.Errorf("the secret that signs tokens has %d bytes and %s needs at least %d", len(secret), k.method.Alg(), shortest)
		}
		k.secrets = append(k.secrets, secret)
		k.verify.Keys = append(k.verify.Keys, secret)
	}
	if len(k.secrets) == 0 {
		return errors.New("there is no secret to sign tokens with")
	}
	k.sign = k.secrets[0]
	return nil
}

func (k *tokenKeys) addPEM(material []byte) error {
	for n := 1; ; n++ {
		block, rest := pem.Decode(material)
		if block == nil {
			break
		}
		if err := k.addBlock(block); err != nil {
			return fmt.Errorf("PEM block %d: %w", n, err)
		}
		material = rest
	}
	if len(bytes.TrimSpace(material)) > 0 {
		return fmt.Errorf("there is something that is not a PEM block; %s needs a private or a public key in PEM", k.method.Alg())
	}
	if len(k.verify.Keys) == 0 {
		return fmt.Errorf("there is no key in PEM, and %s needs a private or a public one", k.method.Alg())
	}
	return nil
}

func (k *tokenKeys) addBlock(block *pem.Block) error {
	key, err := parseBlock(block)
	if err != nil {
		return err
	}
	public, private := key, true
	switch key := key.(type) {
	case *rsa.PrivateKey:
		public = &key.PublicKey
	case ed25519.PrivateKey:
		public = key.Public()
	default:
		private = false
	}
	if err := k.suits(public); err != nil {
		return err
	}
	if k.sign == nil && private {
		k.sign = key
	}
	k.verify.Keys = append(k.verify.Keys, public)
	return nil
}

// suits reports whether the algorithm works with a public key.
func (k *tokenKeys) suits(public any) error {
	switch k.method.(type) {
	case *jwt.SigningMethodRSA:
		key, ok := public.(*rsa.PublicKey)
		if !ok {
			return fmt.Errorf("%s needs an RSA key", k.method.Alg())
		}
		if key.N.BitLen() < minRSABits {
			return fmt.Errorf("the RSA key has %d bits and needs at least %d", key.N.BitLen(), minRSABits)
		}
	case *jwt.SigningMethodEd25519:
		if _, ok := public.(ed25519.PublicKey); !ok {
			return fmt.Errorf("%s needs an Ed25519 key", k.method.Alg())
		}
	}
	return nil
}

// parseBlock never repeats what it read: it may be a secret.
func parseBlock(block *pem.Block) (key any, err error) {
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	default:
		if strings.Contains(block.Type, "ENCRYPTED") || block.Headers["DEK-Info"] != "" {
			return nil, errors.New("the key is encrypted; take one without a passphrase")
		}
		return nil, fmt.Errorf("%q is neither a private nor a public key", block.Type)
	}
	if err != nil {
		return nil, errors.New("the key is damaged, encrypted or of another kind than its heading says")
	}
	return key, nil
}
