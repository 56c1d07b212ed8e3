package cloud

import (
	"bytes"
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// SealKey is the ARN of the one KMS key there is.
var SealKey = ARN("kms", "key/seal")

// master is the KMS key: AES-256-GCM, the purpose bound as additional data.
type master struct{ gcm cipher.AEAD }

// openMaster reads the master key of dir, or makes it: what was sealed under a
// key that is gone is gone too.
func openMaster(dir string) (*master, error) {
	name := filepath.Join(dir, "kms.key")
	key, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, 32)
		if _, err := rand.Read(key); err != nil {
			return nil, fmt.Errorf("cloud: %w", err)
		}
		err = os.WriteFile(name, key, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("cloud: master key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("cloud: master key in %s: %w", name, err)
	}
	gcm, err := cipher.NewGCM(block)
	return &master{gcm}, err
}

type dataKeyIn struct {
	KeyID   string            `json:"KeyId"`
	Spec    string            `json:"KeySpec"`
	Bytes   int               `json:"NumberOfBytes"`
	Purpose map[string]string `json:"EncryptionContext"`
}

type dataKey struct {
	KeyID string `json:"KeyId"`
	Plain []byte `json:"Plaintext"`
	Blob  []byte `json:"CiphertextBlob"`
}

func (m *master) generateDataKey(in dataKeyIn) (dataKey, error) {
	if in.KeyID != SealKey {
		return dataKey{}, &awsError{"NotFoundException", "Key '" + in.KeyID + "' does not exist"}
	}
	if (in.Spec == "AES_256") == (in.Bytes != 0) || in.Bytes < 0 || in.Bytes > 1024 {
		return dataKey{}, &awsError{"ValidationException", "either KeySpec AES_256 or NumberOfBytes from 1 to 1024"}
	}
	plain, nonce := make([]byte, cmp.Or(in.Bytes, 32)), make([]byte, m.gcm.NonceSize())
	_, err1 := rand.Read(plain)
	_, err2 := rand.Read(nonce)
	purpose, err3 := json.Marshal(in.Purpose) // in the order of its keys
	if err := errors.Join(err1, err2, err3); err != nil {
		return dataKey{}, err
	}
	return dataKey{SealKey, plain, m.gcm.Seal(nonce, nonce, plain, purpose)}, nil
}

type decryptIn struct {
	KeyID   string            `json:"KeyId"`
	Blob    []byte            `json:"CiphertextBlob"`
	Purpose map[string]string `json:"EncryptionContext"`
}

func (m *master) decrypt(in decryptIn) (dataKey, error) {
	if in.KeyID != SealKey {
		return dataKey{}, &awsError{"IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation."}
	}
	purpose, err := json.Marshal(in.Purpose)
	if err != nil {
		return dataKey{}, err
	}
	n := m.gcm.NonceSize()
	if len(in.Blob) < n {
		return dataKey{}, &awsError{"InvalidCiphertextException", ""}
	}
	plain, err := m.gcm.Open(nil, in.Blob[:n], in.Blob[n:], purpose)
	if err != nil {
		return dataKey{}, &awsError{"InvalidCiphertextException", ""}
	}
	return dataKey{KeyID: SealKey, Plain: bytes.Clone(plain)}, nil
}
