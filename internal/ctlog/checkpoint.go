package ctlog

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	// maxCheckpoint bounds a checkpoint in bytes: witnesses may add their signatures.
	maxCheckpoint = 64 << 10
	// maxSize bounds a log: an index has 40 bits (static-ct-api, SCT extension).
	maxSize = 1 << 40
)

var errCheckpoint = errors.New("it is not a checkpoint: three lines and their signature")

// treeHead is a checkpoint whose signature holds.
func treeHead(text []byte, key crypto.PublicKey, id [32]byte) (tlog.Tree, error) {
	origin, _, _ := strings.Cut(string(text[:min(len(text), maxCheckpoint)]), "\n")
	// The signature does not cover the origin (static-ct-api, Checkpoints), so that there
	// is nothing to compare it with: the key is what makes the log.
	opened, err := note.Open(text, note.VerifierList(verifier{origin, key, id}))
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unverified), errors.As(err, &invalid):
		return tlog.Tree{}, errors.New("its checkpoint is not signed by the log's key")
	case err != nil:
		return tlog.Tree{}, errCheckpoint
	}
	return parseTree(opened.Text)
}

// parseTree reads origin, size and root. There are no further lines: the signature would
// not cover them.
func parseTree(text string) (tlog.Tree, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] == "" || lines[3] != "" {
		return tlog.Tree{}, errCheckpoint
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || size >= maxSize || strconv.FormatInt(size, 10) != lines[1] {
		return tlog.Tree{}, errCheckpoint
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Tree{}, errCheckpoint
	}
	return tlog.Tree{N: size, Hash: tlog.Hash(root)}, nil
}

// verifier checks the signature of RFC 6962 in the form that a note gives it.
type verifier struct {
	name string
	key  crypto.PublicKey
	id   [32]byte // SHA-256 of the key: RFC 6962 section 3.2
}

// Name is part of note.Verifier.
func (v verifier) Name() string { return v.name }

// KeyHash is part of note.Verifier.
func (v verifier) KeyHash() uint32 {
	const rfc6962 = 0x05
	sum := sha256.Sum256(append(append([]byte(v.name), '\n', rfc6962), v.id[:]...))
	return binary.BigEndian.Uint32(sum[:])
}

// Verify is part of note.Verifier. sig is a timestamp and a digitally-signed
// TreeHeadSignature (RFC 6962 section 3.5, RFC 5246 section 4.7).
func (v verifier) Verify(text, sig []byte) bool {
	const sha256ID, rsaID, ecdsaID = 4, 1, 3
	tree, err := parseTree(string(text))
	if err != nil {
		return false
	}
	var timestamp uint64
	var hash, algorithm uint8
	var signature cryptobyte.String
	rest := cryptobyte.String(sig)
	if !rest.ReadUint64(&timestamp) || !rest.ReadUint8(&hash) || !rest.ReadUint8(&algorithm) ||
		!rest.ReadUint16LengthPrefixed(&signature) || !rest.Empty() || hash != sha256ID {
		return false
	}
	sum := sha256.Sum256(signedTree(timestamp, tree))
	switch key := v.key.(type) {
	case *ecdsa.PublicKey:
		return algorithm == ecdsaID && ecdsa.VerifyASN1(key, sum[:], signature)
	case *rsa.PublicKey:
		return algorithm == rsaID && rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
	}
	return false
}

// signedTree is what a log signs: version 1 (0), tree_hash (1), timestamp, size and root.
func signedTree(timestamp uint64, tree tlog.Tree) []byte {
	b := []byte{0, 1}
	b = binary.BigEndian.AppendUint64(b, timestamp)
	b = binary.BigEndian.AppendUint64(b, uint64(tree.N))
	return append(b, tree.Hash[:]...)
}

// parseKey reads a log's public key from PEM, and makes its id.
func parseKey(text []byte) (crypto.PublicKey, [32]byte, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, [32]byte{}, errors.New("it holds no public key in PEM form (-----BEGIN PUBLIC KEY-----)")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, [32]byte{}, errors.New("the public key in it can't be read")
	}
	switch key.(type) {
	case *ecdsa.PublicKey, *rsa.PublicKey:
		return key, sha256.Sum256(block.Bytes), nil
	}
	return nil, [32]byte{}, fmt.Errorf("logs sign with ECDSA or RSA (RFC 6962 section 2.1.4), and this is a key of another kind")
}
