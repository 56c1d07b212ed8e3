// Package awscall makes signed calls to services of AWS of which we use one or
// two operations. The SDK's packages for such services carry a table of every
// operation and every region into each cold start: KMS, Secrets Manager, SQS and
// S3 together weigh 4 MB and as much CPU as the rest of a start, and DynamoDB
// 1.6 MB for five operations of its fifty-seven. The signature is the SDK's own;
// the wire formats are AWS JSON and S3's REST.
//
// It repeats calls, so it is for operations that may be done twice, but for
// JSONOnce. It knows no noun and says nothing of a request in its errors.
package awscall

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/cenkalti/backoff/v5"

	"github.com/doudi-aid/doudi/shared/fault"
)

const (
	attempts   = 3
	patience   = 4 * time.Second // for one attempt
	firstPause = 50 * time.Millisecond
	longPause  = time.Second
	jsonLimit  = 1 << 20  // bytes read of a JSON answer
	errorLimit = 64 << 10 // and of a refusal
)

// Config is where calls go and as whom.
type Config struct {
	Region      string // "cn-north-1"
	Credentials aws.CredentialsProvider
	HTTP        aws.HTTPClient // must not follow redirects
	Now         func() time.Time
	// Endpoint gives the base URL of a service, by its signing name, where it is
	// not the region's own; nil or an empty answer is the region's own.
	Endpoint func(service string) string
	// Pause replaces the wait between two attempts.
	Pause func(ctx context.Context, d time.Duration) error
}

// Client makes calls. Safe for concurrent use.
type Client struct {
	config Config
	signer *v4.Signer
}

// New is a client.
func New(c Config) *Client {
	if c.Pause == nil {
		c.Pause = pause
	}
	// S3 signs a path as it is sent; the JSON services' path is "/".
	return &Client{c, v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })}
}

// Service is a service that speaks AWS JSON.
type Service struct {
	Name    string // as signed: "kms"
	Target  string // before the operation's name: "TrentService"
	Version string // of the protocol: "1.0" or "1.1"
	Limit   int64  // bytes read of an answer; 0 is 1 MB
}

// isCode reports whether a service would write this as the code of an error: a
// letter, then letters, digits, dots and underscores, 64 in all at most.
func isCode(s string) bool {
	letter := func(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
	for i := range len(s) {
		if c := s[i]; !letter(c) && (i == 0 || (c < '0' || c > '9') && c != '.' && c != '_') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// Error is a service's own answer that it did not do what was asked.
type Error struct {
	Service string
	Code    string // "InvalidCiphertextException", or the status when none was given
	Status  int
	// Detail is the whole answer. It may quote the request: for reading, never for saying.
	Detail []byte
}

// Error leaves out the service's message, which may quote the request.
func (e *Error) Error() string {
	return fmt.Sprintf("awscall: %s: %s (%d)", e.Service, e.Code, e.Status)
}

// IsCode reports whether err is a service's answer with one of the codes.
func IsCode(err error, codes ...string) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return false
	}
	for _, c := range codes {
		if e.Code == c {
			return true
		}
	}
	return false
}

// ErrNoAnswer: nobody knows whether the call was carried out.
var ErrNoAnswer = errors.New("awscall: no answer")

// ErrNotSent: there was no connection, so it was not. It wraps ErrNoAnswer.
var ErrNotSent = fmt.Errorf("%w: no connection", ErrNoAnswer)

// JSON calls one operation: in is sent and the answer read into out. An error is
// an *Error, or wraps ErrNoAnswer.
func (c *Client) JSON(ctx context.Context, s Service, operation string, in, out any) error {
	return c.json(ctx, s, operation, in, out, attempts)
}

// JSONOnce is JSON that sends one time only.
func (c *Client) JSONOnce(ctx context.Context, s Service, operation string, in, out any) error {
	return c.json(ctx, s, operation, in, out, 1)
}

func (c *Client) json(ctx context.Context, s Service, operation string, in, out any, most int) error {
	body, err := json.Marshal(in)
	if err != nil {
		return errors.New("awscall: " + s.Name + ": the request cannot be written")
	}
	answer, err := c.call(ctx, request{
		service: s.Name, method: http.MethodPost, url: c.base(s.Name, s.Name) + "/", body: body, limit: cmp.Or(s.Limit, jsonLimit), code: jsonCode, attempts: most,
		header: http.Header{"Content-Type": {"application/x-amz-json-" + s.Version}, "X-Amz-Target": {s.Target + "." + operation}},
	})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		// The decoder's words may quote a secret.
		return fmt.Errorf("%w: %s: not of the form of %s", ErrNoAnswer, s.Name, operation)
	}
	return nil
}

// PutObject stores an object in a bucket of S3. The key is letters, digits and
// "/-_." only. The checksum is for buckets under Object Lock, which ask for one.
func (c *Client) PutObject(ctx context.Context, bucket, key string, content []byte) error {
	sum := sha256.Sum256(content)
	_, err := c.call(ctx, request{service: "s3", method: http.MethodPut, url: c.object(bucket, key), body: content, limit: jsonLimit, code: xmlCode, attempts: attempts,
		header: http.Header{"Content-Type": {"application/octet-stream"}, "X-Amz-Checksum-Sha256": {base64.StdEncoding.EncodeToString(sum[:])}}})
	return err
}

// GetObject reads an object of at most limit bytes; one that is not there is an
// *Error with the code NoSuchKey.
func (c *Client) GetObject(ctx context.Context, bucket, key string, limit int64) ([]byte, error) {
	return c.call(ctx, request{service: "s3", method: http.MethodGet, url: c.object(bucket, key), limit: limit, code: xmlCode, attempts: attempts})
}

// object is path style at a named endpoint, which has no names for buckets, and
// by the bucket's own name at the region's.
func (c *Client) object(bucket, key string) string {
	if c.named("s3") != "" {
		return c.base("s3", "s3") + "/" + bucket + "/" + key
	}
	return c.base("s3", bucket+".s3") + "/" + key
}

func (c *Client) named(service string) string {
	if c.config.Endpoint == nil {
		return ""
	}
	return strings.TrimSuffix(c.config.Endpoint(service), "/")
}

// base is the endpoint; China's regions have a domain of their own.
func (c *Client) base(service, host string) string {
	if at := c.named(service); at != "" {
		return at
	}
	domain := ".amazonaws.com"
	if strings.HasPrefix(c.config.Region, "cn-") {
		domain += ".cn"
	}
	return "https://" + host + "." + c.config.Region + domain
}

// request is one call, sent as often as it takes.
type request struct {
	service, method, url string
	header               http.Header
	body                 []byte
	limit                int64
	attempts             int
	code                 func(header http.Header, body []byte) string // of an error's answer
}

// call repeats what had no answer or may succeed later.
func (c *Client) call(ctx context.Context, r request) ([]byte, error) {
	wait := &backoff.ExponentialBackOff{InitialInterval: firstPause, RandomizationFactor: 0.5, Multiplier: 4, MaxInterval: longPause}
	wait.Reset()
	for attempt := 1; ; attempt++ {
		answer, err := c.once(ctx, r)
		if err == nil || attempt == r.attempts || !passing(err) || ctx.Err() != nil {
			return answer, err
		}
		if c.config.Pause(ctx, wait.NextBackOff()) != nil {
			return nil, err
		}
	}
}

// Trouble is err as a caller passes it on: because of unavailable, when the service
// gave no answer for now, and as it is when the service said no.
func Trouble(err error, unavailable *fault.Error) error {
	if passing(err) {
		return unavailable.Because(err)
	}
	return err
}

// passing reports whether another attempt may fare better.
func passing(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return errors.Is(err, ErrNoAnswer)
	}
	return e.Status >= http.StatusInternalServerError || e.Status == http.StatusTooManyRequests ||
		strings.Contains(e.Code, "Throttl") || e.Code == "ProvisionedThroughputExceededException" || e.Code == "RequestLimitExceeded" || e.Code == "SlowDown"
}

func (c *Client) once(ctx context.Context, r request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, bytes.NewReader(r.body))
	if err != nil {
		return nil, errors.New("awscall: " + r.service + ": the endpoint is no URL")
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	// A compressed answer could unpack to more than the limit.
	req.Header.Set("Accept-Encoding", "identity")
	sum := sha256.Sum256(r.body)
	hash := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", hash)
	who, err := c.config.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("awscall: %s: %w", r.service, err)
	}
	if err := c.signer.SignHTTP(ctx, who, req, hash, r.service, c.config.Region, c.config.Now()); err != nil {
		return nil, errors.New("awscall: " + r.service + ": the request cannot be signed")
	}
	resp, err := c.config.HTTP.Do(req)
	if err != nil { // net/http's words have the URL
		if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
			return nil, fmt.Errorf("%w: %s", ErrNotSent, r.service)
		}
		if why := ctx.Err(); why != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrNoAnswer, r.service, why)
		}
		return nil, fmt.Errorf("%w: %s", ErrNoAnswer, r.service)
	}
	limit, done := r.limit, resp.StatusCode/100 == 2
	if !done {
		limit = max(errorLimit, limit) // a transaction that was refused comes with the items in its way
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, fmt.Errorf("%w: %s: the answer broke off", ErrNoAnswer, r.service)
	}
	if !whole(resp.Header, body) {
		return nil, fmt.Errorf("%w: %s: the answer was damaged on its way", ErrNoAnswer, r.service)
	}
	if done && int64(len(body)) > limit {
		return nil, fmt.Errorf("awscall: %s: an answer of more than %d bytes", r.service, limit)
	}
	if done {
		return body, nil
	}
	code := r.code(resp.Header, body)
	if !isCode(code) { // anything else could quote the request
		code = cmp.Or(http.StatusText(resp.StatusCode), strconv.Itoa(resp.StatusCode))
	}
	return nil, &Error{r.service, code, resp.StatusCode, body}
}

// whole holds an answer to the checksum that DynamoDB sends with it.
func whole(header http.Header, body []byte) bool {
	sum := header.Get("X-Amz-Crc32")
	return sum == "" || sum == strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10)
}

// jsonCode is the code of an error of a JSON service, which says it in one or
// another way: "com.amazonaws.kms#NotFoundException:http://…".
func jsonCode(header http.Header, body []byte) string {
	code := header.Get("X-Amzn-Errortype")
	if code == "" {
		var said struct {
			Type string `json:"__type"`
			Code string `json:"code"`
		}
		if json.Unmarshal(body, &said) == nil {
			code = said.Type
			if code == "" {
				code = said.Code
			}
		}
	}
	code, _, _ = strings.Cut(code, ":")
	return code[strings.LastIndexByte(code, '#')+1:]
}

// xmlCode is the code of an error of S3. Its form is fixed, and an XML reader
// would weigh more than everything here.
func xmlCode(_ http.Header, body []byte) string {
	_, rest, _ := strings.Cut(string(body), "<Code>")
	code, _, ok := strings.Cut(rest, "</Code>")
	if !ok {
		return ""
	}
	return code
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
