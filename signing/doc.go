// Package signing signs and verifies webhooks after the Standard Webhooks specification, and holds the keys to do so.
//
// A sender calls [Sign] once for each attempt and puts the result into the header [HeaderSignature], beside the id of
// the message ([HeaderID], the same on every attempt) and the time of the attempt in Unix seconds ([HeaderTimestamp]).
// What is signed is id, timestamp and raw body, joined by full stops. A receiver hands the headers and the raw body to
// [Verify] before it parses anything.
//
// # Keys
//
// A [Key] is made from its serialised form by [ParseKey]. The prefix tells what it can do:
//
//	whsec_  symmetric    base64 of 24 to 75 bytes               signs and verifies "v1" (HMAC-SHA256)
//	whsk_   private key  base64 of 64 bytes, seed ‖ public key  signs and verifies "v1a" (Ed25519)
//	whpk_   public key   base64 of 32 bytes                     verifies "v1a" (Ed25519)
//
// A key does not give itself away: printed, logged or marshalled it shows its prefix and no more. Only [Key.Reveal] and
// [Key.Public] hand out what is inside.
//
// # Rotation
//
// While a key is being replaced, sign with the new and the old one. The header then holds one signature for each, of
// either version in any mix, and a receiver that knows either key accepts the message.
package signing
