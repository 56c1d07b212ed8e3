package kmskeys_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/doudi-aid/doudi/shared/awscall"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/seal/kmskeys"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

const arn = "arn:aws-cn:kms:cn-north-1:123456789012:key/k-1"

var here = seal.Place{Table: "doudi", PK: "APP#1", SK: "P", Field: "f"}

// keyService speaks KMS's protocol: it wraps under one master key, binds to the
// encryption context, and can be shut.
type keyService struct {
	aead  cipher.AEAD
	mu    sync.Mutex
	calls []string
	shut  bool
}

func (s *keyService) count(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.calls {
		if c == op {
			n++
		}
	}
	return n
}

func (s *keyService) setShut(v bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shut = v
}

func (s *keyService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		KeyID             string `json:"KeyId"`
		NumberOfBytes     int
		CiphertextBlob    []byte
		EncryptionContext map[string]string
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	s.mu.Lock()
	s.calls = append(s.calls, op)
	shut := s.shut
	s.mu.Unlock()
	fail := func(kind string) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type":%q}`, kind)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	bound, _ := json.Marshal(in.EncryptionContext) // keys sorted
	switch {
	case shut || in.KeyID != arn:
		fail("DisabledException")
	case op == "GenerateDataKey" && in.NumberOfBytes > 0:
		plain, nonce := make([]byte, in.NumberOfBytes), make([]byte, 12)
		_, _ = rand.Read(plain)
		_, _ = rand.Read(nonce)
		_ = json.NewEncoder(w).Encode(map[string]any{"KeyId": arn, "Plaintext": plain, "CiphertextBlob": s.aead.Seal(nonce, nonce, plain, bound)})
	case op == "Decrypt" && len(in.CiphertextBlob) > 12:
		plain, err := s.aead.Open(nil, in.CiphertextBlob[:12], in.CiphertextBlob[12:], bound)
		if err != nil {
			fail("InvalidCiphertextException")
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"KeyId": arn, "Plaintext": plain})
	default:
		fail("ValidationException")
	}
}

// rig is a key service with the table beside it and a clock.
type rig struct {
	t       *testing.T
	service *keyService
	client  *awscall.Client
	table   table.Store
	now     time.Time
}

func newRig(t *testing.T) *rig {
	t.Helper()
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	s := &keyService{aead: aead}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	client := awscall.New(awscall.Config{
		Region: "cn-north-1", Endpoint: func(string) string { return server.URL }, HTTP: server.Client(), Now: time.Now,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
		}),
	})
	return &rig{t, s, client, embedded.Memory(), time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
}

// process is the keys as one more process sees them.
func (r *rig) process() *kmskeys.Keys {
	return kmskeys.New(r.client, r.table, arn, seal.AES256GCM, func() time.Time { return r.now })
}

func (r *rig) seal(k *kmskeys.Keys) []byte {
	r.t.Helper()
	env, err := seal.NewBox(k, rand.Reader).Seal(r.t.Context(), here, []byte("canary"))
	if err != nil {
		r.t.Fatal(err)
	}
	return env
}

func (r *rig) open(k *kmskeys.Keys, env []byte) error {
	r.t.Helper()
	got, err := seal.NewBox(k, rand.Reader).Open(r.t.Context(), here, env)
	if err == nil && string(got) != "canary" {
		r.t.Errorf("opened as %q", got)
	}
	return err
}

func TestOneKeyADayForAllProcesses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one, two := r.process(), r.process()
	first, second := r.seal(one), r.seal(two)
	if r.service.count("GenerateDataKey") != 1 || !slices.Equal(first[:11], second[:11]) {
		t.Errorf("%d keys made", r.service.count("GenerateDataKey"))
	}
	if err := errors.Join(r.open(two, first), r.open(one, second)); err != nil {
		t.Error(err)
	}
	r.now = r.now.Add(24 * time.Hour)
	next := r.seal(one)
	if r.service.count("GenerateDataKey") != 2 || slices.Equal(first[:11], next[:11]) {
		t.Error("yesterday's key is still in use")
	}
	if err := r.open(r.process(), first); err != nil {
		t.Errorf("what yesterday's key sealed: %v", err)
	}
}

func TestUnwrappedOnceThenCachedForFiveMinutesThenClosed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	k := r.process()
	env := r.seal(k)
	for range 10 {
		if err := r.open(k, env); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.service.count("Decrypt"); n != 1 {
		t.Errorf("unwrapped %d times", n)
	}
	r.service.setShut(true)
	r.now = r.now.Add(kmskeys.CacheFor - time.Second)
	if err := r.open(k, env); err != nil {
		t.Errorf("within the cache's time: %v", err)
	}
	r.now = r.now.Add(time.Second)
	if err := r.open(k, env); !errors.Is(err, seal.ErrKey) || fault.Of(err).Kind != fault.Unavailable {
		t.Errorf("KMS shut, cache lapsed: %v", err)
	}
	if _, err := seal.NewBox(k, rand.Reader).Seal(t.Context(), here, nil); !errors.Is(err, seal.ErrKey) {
		t.Errorf("sealed with KMS shut: %v", err)
	}
	r.service.setShut(false)
	if err := r.open(k, env); err != nil {
		t.Errorf("KMS open again: %v", err)
	}
}

func TestNoPlainKeyIsStored(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.seal(r.process())
	it, found, err := r.table.Get(t.Context(), table.Key{PK: "DATAKEY#20261122", SK: "DATAKEY"})
	if err != nil || !found {
		t.Fatal(found, err)
	}
	var w struct {
		Key []byte `json:"key"`
	}
	if err := json.Unmarshal(it.Body, &w); err != nil || len(w.Key) != 12+32+16 {
		t.Errorf("stored %s %v", it.Body, err)
	}
}

func TestAKeyMovedToAnotherDayIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	env := r.seal(r.process())
	it, _, err := r.table.Get(t.Context(), table.Key{PK: "DATAKEY#20261122", SK: "DATAKEY"})
	if err != nil {
		t.Fatal(err)
	}
	it.Key.PK = "DATAKEY#20261123"
	broken := table.Item{Key: table.Key{PK: "DATAKEY#20261124", SK: "DATAKEY"}, Version: 1, Body: []byte("x")}
	if err := r.table.Transact(t.Context(), table.Put{Item: it}, table.Put{Item: broken}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"20261123", "20261124"} {
		if _, err := r.process().ByID(t.Context(), id); !errors.Is(err, kmskeys.ErrForeign) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := r.process().ByID(t.Context(), "20300101"); !errors.Is(err, seal.ErrKey) {
		t.Errorf("a key that was never made: %v", err)
	}
	if r.service.count("GenerateDataKey") != 1 {
		t.Error("reading made a key")
	}
	if err := r.open(r.process(), env); err != nil {
		t.Error(err)
	}
}

// All start at once with an empty table; all must end up with one key.
func TestAllStartTogether(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	envs, refs := make([][]byte, 8), make([]string, 8)
	var wg sync.WaitGroup
	for i := range envs {
		wg.Go(func() {
			k := r.process()
			env, err := seal.NewBox(k, rand.Reader).Seal(t.Context(), here, []byte("canary"))
			if err != nil {
				t.Error(err)
			}
			blind, err := k.Blind(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			envs[i], refs[i] = env, blind.Ref("k", "v")
		})
	}
	wg.Wait()
	k := r.process()
	for i := range envs {
		if err := r.open(k, envs[i]); err != nil || refs[i] != refs[0] {
			t.Errorf("%d: %v %s", i, err, refs[i])
		}
	}
}

func TestBlindRotation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	k := r.process()
	before, err := k.Blind(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := k.RotateBlind(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, err := r.process().Blind(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	refs := after.Refs("k", "v")
	if len(refs) != 2 || refs[1] != before.Ref("k", "v") || !strings.HasPrefix(refs[0], "b2.") {
		t.Errorf("refs %v", refs)
	}
	// A gap in the versions means that one was lost: nobody may go on without it.
	gap := table.Item{Key: table.Key{PK: "BLINDKEY", SK: "V#000004"}, Version: 1, Body: []byte(`{}`)}
	if err := r.table.Transact(t.Context(), table.Put{Item: gap}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.process().Blind(t.Context()); !errors.Is(err, kmskeys.ErrForeign) {
		t.Errorf("with a version missing: %v", err)
	}
	r.service.setShut(true)
	if _, err := newRigWith(r).Blind(t.Context()); err == nil {
		t.Error("a blind without KMS")
	}
}

func newRigWith(r *rig) *kmskeys.Keys {
	return kmskeys.New(r.client, embedded.Memory(), arn, seal.AES256GCM, func() time.Time { return r.now })
}

// lossy stores and then says that it does not know.
type lossy struct{ table.Store }

func (l lossy) Transact(ctx context.Context, writes ...table.Write) error {
	if err := l.Store.Transact(ctx, writes...); err != nil {
		return err
	}
	return table.ErrUnknown
}

// deaf never stores, and says that it does not know.
type deaf struct{ table.Store }

func (deaf) Transact(context.Context, ...table.Write) error { return table.ErrUnknown }

// down answers nothing.
type down struct{ table.Store }

func (down) Get(context.Context, table.Key) (table.Item, bool, error) {
	return table.Item{}, false, io.ErrUnexpectedEOF
}
func (down) Query(context.Context, table.Query) (table.Page, error) {
	return table.Page{}, io.ErrUnexpectedEOF
}

func TestTheTablesTroubles(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	good := r.table
	r.table = lossy{good} // stored, answer lost
	env := r.seal(r.process())
	r.table = good
	if err := r.open(r.process(), env); err != nil {
		t.Errorf("after a lost answer: %v", err)
	}
	for _, bad := range []table.Store{deaf{embedded.Memory()}, down{good}} {
		r.table = bad
		if _, err := r.process().Current(t.Context()); !errors.Is(err, seal.ErrKey) {
			t.Errorf("%T: %v", bad, err)
		}
		if _, err := r.process().Blind(t.Context()); err == nil {
			t.Errorf("%T: a blind out of nothing", bad)
		}
	}
}

func TestACallerWhoWentAwayDoesNotFailTheOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.process().Current(gone); err != nil {
		t.Errorf("%v", err)
	}
}

// A region goes over to SM4 with the next day's key: what was sealed the day
// before opens, by processes of either setting.
func TestSM4FromTheNextDayOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	box := func(alg seal.Algorithm) *seal.Box {
		return seal.NewBox(kmskeys.New(r.client, r.table, arn, alg, func() time.Time { return r.now }), rand.Reader)
	}
	at := seal.Place{Table: "doudi", PK: "APP#1", SK: "PARTICULARS", Field: "f"}
	first, err := box(seal.AES256GCM).Seal(t.Context(), at, []byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	same, err := box(seal.SM4GCM).Seal(t.Context(), at, []byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	r.now = r.now.Add(24 * time.Hour)
	second, err := box(seal.SM4GCM).Seal(t.Context(), at, []byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []seal.Algorithm{seal.AES256GCM, seal.AES256GCM, seal.SM4GCM} {
		env := [][]byte{first, same, second}[i]
		if seal.Algorithm(env[1]) != want {
			t.Errorf("envelope %d is of %s, want %s", i, seal.Algorithm(env[1]), want)
		}
		for _, alg := range []seal.Algorithm{seal.AES256GCM, seal.SM4GCM} {
			if got, err := box(alg).Open(t.Context(), at, env); err != nil || string(got) != "one" {
				t.Errorf("envelope %d under the setting %s: %q, %v", i, alg, got, err)
			}
		}
	}
}
