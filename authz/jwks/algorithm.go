package jwks

// Algorithm is the one name of a signature algorithm that has two: Ed25519 (RFC
// 9864) is EdDSA (RFC 8037) on the only curve of EdDSA that is supported.
func Algorithm(name string) string {
	if name == "Ed25519" {
		return "EdDSA"
	}
	return name
}
