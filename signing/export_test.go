package signing

// SymmetricKeyOfAnySize makes a key that ParseKey would refuse for its length.
func SymmetricKeyOfAnySize(raw []byte) Key { return newKey(symmetricPrefix, raw) }
