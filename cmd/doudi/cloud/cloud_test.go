package cloud

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	secrets "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/doudi-aid/doudi/shared/awscall"
	"github.com/doudi-aid/doudi/shared/document"
	"github.com/doudi-aid/doudi/shared/document/bucket"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/queue"
	"github.com/doudi-aid/doudi/shared/queue/sqsqueue"
	"github.com/doudi-aid/doudi/shared/seal"
	"github.com/doudi-aid/doudi/shared/seal/kmskeys"
	"github.com/doudi-aid/doudi/shared/table/embedded"
)

var words = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}, nil
})

// calls is the functions' own client. The tests beside it that use the SDK's
// show that the stand-in answers as AWS's own clients expect.
func calls(at *string) *awscall.Client {
	return awscall.New(awscall.Config{Region: Region, Credentials: words, HTTP: http.DefaultClient, Now: time.Now, Endpoint: func(string) string { return *at }})
}

// serve opens the stand-in on dir, behind real HTTP.
func serve(t *testing.T, dir string, queues *Queues) *string {
	t.Helper()
	c, err := New(Options{Dir: dir, Queues: queues, Buckets: []string{"evidence"}, IDs: ident.Random()})
	if err != nil {
		t.Fatal(err)
	}
	c.Keep("Bank", `{"key":"k"}`)
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	return &s.URL
}

// The functions' own keeper of keys, over real HTTP.
func TestKeysLastInTheDirectory(t *testing.T) {
	dir, stored := t.TempDir(), embedded.Memory()
	place := seal.Place{Table: "doudi", PK: "APP#1", SK: "A", Field: "name"}
	open := func(dir string) (*seal.Box, *seal.Blind) {
		keys := kmskeys.New(calls(serve(t, dir, nil)), stored, SealKey, seal.AES256GCM, time.Now)
		blind, err := keys.Blind(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return seal.NewBox(keys, rand.Reader), blind
	}
	box, blind := open(dir)
	sealed, err := box.Seal(t.Context(), place, []byte("王秀英"))
	if err != nil {
		t.Fatal(err)
	}
	again, same := open(dir)
	if text, err := again.Open(t.Context(), place, sealed); err != nil || string(text) != "王秀英" {
		t.Errorf("after a restart: %q, %v", text, err)
	}
	if blind.Ref("a", "b") != same.Ref("a", "b") {
		t.Error("after a restart nobody is found any more")
	}
	if _, err := kmskeys.New(calls(serve(t, t.TempDir(), nil)), stored, SealKey, seal.AES256GCM, time.Now).Blind(t.Context()); err == nil {
		t.Error("another master key opened what was wrapped by this one")
	}
}

func TestAWrappedKeyIsBoundToItsPurposeAndItsKey(t *testing.T) {
	c := kms.New(kms.Options{Region: Region, Credentials: words, BaseEndpoint: serve(t, t.TempDir(), nil)})
	purpose := map[string]string{"doudi:pk": "A", "doudi:sk": "B"}
	made, err := c.GenerateDataKey(t.Context(), &kms.GenerateDataKeyInput{KeyId: &SealKey, KeySpec: types.DataKeySpecAes256, EncryptionContext: purpose})
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &SealKey, CiphertextBlob: made.CiphertextBlob, EncryptionContext: purpose})
	if err != nil || !bytes.Equal(out.Plaintext, made.Plaintext) {
		t.Errorf("unwrapped %v", err)
	}
	_, err = c.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &SealKey, CiphertextBlob: made.CiphertextBlob, EncryptionContext: map[string]string{"doudi:pk": "B", "doudi:sk": "B"}})
	if _, refused := errors.AsType[*types.InvalidCiphertextException](err); !refused {
		t.Errorf("moved to another place: %v", err)
	}
	other := ARN("kms", "key/other")
	if _, err := c.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &other, CiphertextBlob: made.CiphertextBlob, EncryptionContext: purpose}); err == nil {
		t.Error("another KMS key unwrapped it")
	}
	if _, err := c.GenerateDataKey(t.Context(), &kms.GenerateDataKeyInput{KeyId: &other, KeySpec: types.DataKeySpecAes256}); err == nil {
		t.Error("a KMS key that is not there made a data key")
	}
}

// Whoever forgets to sign would be let in here and refused by AWS.
func TestUnsignedCallsAreRefused(t *testing.T) {
	at := *serve(t, t.TempDir(), nil)
	for target, want := range map[string]int{"AmazonSQS.SendMessage": 400, "AmazonSQS.PurgeQueue": 400, "": 403} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at+"/evidence/document/x", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if target != "" {
			req.Header.Set("X-Amz-Target", target)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _ = res.Body.Close(); res.StatusCode != want {
			t.Errorf("%q: %d, want %d", target, res.StatusCode, want)
		}
	}
}

func TestSecretsAreFoundByName(t *testing.T) {
	c := secretsmanager.New(secretsmanager.Options{Region: Region, Credentials: words, BaseEndpoint: serve(t, t.TempDir(), nil)})
	out, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("Bank")})
	if err != nil || *out.SecretString != `{"key":"k"}` {
		t.Errorf("got %v, %v", out, err)
	}
	_, err = c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("Bonk")})
	if _, absent := errors.AsType[*secrets.ResourceNotFoundException](err); !absent {
		t.Errorf("a secret that is not there: %v", err)
	}
}

func TestEvidenceComesBack(t *testing.T) {
	keys, err := seal.OpenKeyFile(t.TempDir()+"/keys", ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	open := func() *bucket.Bucket {
		return bucket.New(calls(serve(t, dir, nil)), "evidence", seal.NewBox(keys, rand.Reader))
	}
	content := bytes.Repeat([]byte{0, 0xff, 'x'}, 100_000)
	if err := open().Put(t.Context(), "APP#1", "d1", content); err != nil {
		t.Fatal(err)
	}
	if got, err := open().Get(t.Context(), "APP#1", "d1"); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	if _, err := open().Get(t.Context(), "APP#1", "d2"); !errors.Is(err, document.ErrNotFound) {
		t.Errorf("what is not there: %v", err)
	}
}

// The functions' own sender, over real HTTP.
func TestMessagesArrive(t *testing.T) {
	q := NewQueues(map[string]Queue{"PayQueue": {Visibility: time.Minute, MaxReceive: 5}}, time.Now, ident.Random(), nil)
	at := serve(t, t.TempDir(), q)
	sender := sqsqueue.New(calls(at), map[string]string{"pay": *at + "/" + Account + "/PayQueue", "gone": *at + "/" + Account + "/Gone"})
	if err := sender.Send(t.Context(), "pay", []byte(`{"pk":"a"}`), 0); err != nil {
		t.Fatal(err)
	}
	got := q.Receive(t.Context(), "PayQueue", 10)
	if len(got) != 1 || got[0].Body != `{"pk":"a"}` || got[0].Attributes[queue.HopsAttribute].StringValue != "0" {
		t.Errorf("received %+v", got)
	}
	if err := sender.Send(t.Context(), "gone", []byte("x"), 0); err == nil {
		t.Error("a queue that is not there took a message")
	}
}

func TestQueues(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	repeat := true
	q := NewQueues(map[string]Queue{"Work": {Visibility: time.Minute, MaxReceive: 2, Dead: "Dead"}, "Dead": {Visibility: time.Minute}},
		func() time.Time { return now }, ident.Random(), func(_ string, m Message) bool { return repeat && m.Body == "twice" })
	// take is a receive that does not wait.
	take := func(name string) []Message {
		done, stop := context.WithCancel(t.Context())
		stop()
		return q.Receive(done, name, 10)
	}
	q.Send("Work", "later", nil, time.Second)
	if got := take("Work"); len(got) != 0 {
		t.Fatalf("a message held back was delivered: %v", got)
	}
	now = now.Add(time.Second)
	first := take("Work")
	if len(first) != 1 || first[0].Received != 1 {
		t.Fatalf("not delivered when it was time: %v", first)
	}
	if got := take("Work"); len(got) != 0 {
		t.Fatal("a hidden message was delivered")
	}
	now = now.Add(time.Minute)
	second := take("Work")
	if len(second) != 1 || second[0].Received != 2 || second[0].ID != first[0].ID {
		t.Fatalf("not delivered again: %v", second)
	}
	q.Delete("Work", first[0].Receipt)
	if len(q.Waiting("Work")) != 1 {
		t.Error("a receipt of an older delivery deleted the message of a newer one")
	}
	now = now.Add(time.Minute)
	if got := take("Work"); len(got) != 0 || len(q.Waiting("Dead")) != 1 {
		t.Errorf("after two deliveries it is no dead letter: %v", got)
	}
	q.Send("Work", "twice", nil, 0)
	for range 2 {
		got := take("Work")
		if len(got) != 1 {
			t.Fatalf("delivered %v", got)
		}
		q.Delete("Work", got[0].Receipt)
	}
	if len(q.Waiting("Work")) != 0 {
		t.Error("a message is repeated for ever")
	}
}

// What our client stores the SDK's reads, and the other way round: the two sign,
// address and read alike.
func TestOurClientAndTheSDKsAreInterchangeable(t *testing.T) {
	at := serve(t, t.TempDir(), nil)
	ours, theirs := calls(at), s3.New(s3.Options{Region: Region, Credentials: words, BaseEndpoint: at, UsePathStyle: true})
	name := func(key string) (bucket, object *string) { return aws.String("evidence"), &key }
	if err := ours.PutObject(t.Context(), "evidence", "document/a", []byte("ours")); err != nil {
		t.Fatal(err)
	}
	b, k := name("document/a")
	out, err := theirs.GetObject(t.Context(), &s3.GetObjectInput{Bucket: b, Key: k})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(out.Body); err != nil || string(got) != "ours" {
		t.Errorf("the SDK reads %q, %v", got, err)
	}
	b, k = name("document/b")
	if _, err := theirs.PutObject(t.Context(), &s3.PutObjectInput{Bucket: b, Key: k, Body: strings.NewReader("theirs")}); err != nil {
		t.Fatal(err)
	}
	if got, err := ours.GetObject(t.Context(), "evidence", "document/b", 100); err != nil || string(got) != "theirs" {
		t.Errorf("we read %q, %v", got, err)
	}
	if _, err := ours.GetObject(t.Context(), "evidence", "document/c", 100); !awscall.IsCode(err, "NoSuchKey") {
		t.Errorf("what is not there: %v", err)
	}
}
