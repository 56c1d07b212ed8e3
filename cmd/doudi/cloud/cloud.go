// Package cloud stands in for the services of AWS that the deployed functions
// call besides DynamoDB: SQS, KMS, Secrets Manager and S3, over real HTTP, in
// AWS's own protocols, as wide as the functions use them and no wider. Keys and
// objects last in its directory; messages do not, because the table owes the
// work and the sweeper sends it again. It knows no noun, and it is no place for
// a real secret: whoever reads the directory has the keys.
package cloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/doudi-aid/doudi/shared/ident"
)

// Where everything is said to be.
const (
	Region  = "cn-north-1"
	Account = "000000000000"
	// AccessKey is everybody's access key id and secret.
	AccessKey = "local"
)

// ARN names a resource of a service.
func ARN(service, resource string) string {
	return "arn:aws-cn:" + service + ":" + Region + ":" + Account + ":" + resource
}

// Options say what there is.
type Options struct {
	Dir     string  // of keys and objects; it must exist
	Queues  *Queues // SQS delivers into them
	Buckets []string
	IDs     *ident.Source
	// Hook, when it is not nil, sees each call of the JSON services before it is
	// carried out and after; tests kill functions there.
	Hook func(call Call)
}

// Call is one call of a JSON service.
type Call struct {
	Target string // "AmazonSQS.SendMessage"
	By     string // the session token, which the host makes the function's name
	Done   bool   // it was carried out, and is not answered yet
}

// Cloud is the stand-in. Safe for concurrent use.
type Cloud struct {
	options Options
	master  *master
	targets map[string]target

	mu      sync.Mutex
	secrets map[string]string // text by id
}

type target struct {
	service string // as a signature names it
	do      func(body []byte) (any, error)
}

// New opens the stand-in, making its master key when there is none.
func New(o Options) (*Cloud, error) {
	m, err := openMaster(o.Dir)
	if err != nil {
		return nil, err
	}
	c := &Cloud{options: o, master: m, secrets: map[string]string{}}
	c.targets = map[string]target{
		"AmazonSQS.SendMessage":         {"sqs", handle(c.sendMessage)},
		"AmazonSQS.ReceiveMessage":      {"sqs", handle(c.receiveMessage)},
		"AmazonSQS.DeleteMessage":       {"sqs", handle(c.deleteMessage)},
		"AmazonSQS.GetQueueAttributes":  {"sqs", handle(c.queueAttributes)},
		"TrentService.GenerateDataKey":  {"kms", handle(m.generateDataKey)},
		"TrentService.Decrypt":          {"kms", handle(m.decrypt)},
		"secretsmanager.GetSecretValue": {"secretsmanager", handle(c.getSecretValue)},
	}
	return c, nil
}

// awsError is a refusal as AWS words it.
type awsError struct{ code, message string }

func (e *awsError) Error() string { return e.code + ": " + e.message }

func handle[In, Out any](do func(In) (Out, error)) func([]byte) (any, error) {
	return func(body []byte) (any, error) {
		var in In
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, &awsError{"SerializationException", "the body is not of the form of this call"}
		}
		return do(in)
	}
}

// maxBody is more than any call here may carry.
const maxBody = 32 << 20

// ServeHTTP answers the JSON services by their target header and S3 by path.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return // the caller is gone, or was told by MaxBytesReader
	}
	name := r.Header.Get("X-Amz-Target")
	if name == "" {
		c.object(w, r, body)
		return
	}
	t, known := c.targets[name]
	if !known {
		refuse(w, &awsError{"UnknownOperationException", name + " is not played here"})
		return
	}
	if !signed(r, t.service) {
		refuse(w, &awsError{"MissingAuthenticationTokenException", "the request is not signed for " + t.service})
		return
	}
	by := r.Header.Get("X-Amz-Security-Token")
	c.hook(Call{Target: name, By: by})
	out, err := t.do(body)
	c.hook(Call{Target: name, By: by, Done: true})
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_ = json.NewEncoder(w).Encode(out) // the caller is gone when this fails
}

func (c *Cloud) hook(call Call) {
	if c.options.Hook != nil {
		c.options.Hook(call)
	}
}

// signed reports whether a request is signed for a service. The signature itself
// is not checked: the stand-in knows no secret of its callers.
func signed(r *http.Request, service string) bool {
	rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=")
	scope := strings.Split(strings.SplitN(rest, ",", 2)[0], "/") // key, day, region, service, aws4_request
	return ok && len(scope) == 5 && scope[2] == Region && scope[3] == service
}

func refuse(w http.ResponseWriter, err error) {
	status, e := http.StatusBadRequest, (*awsError)(nil)
	if !errors.As(err, &e) {
		status, e = http.StatusInternalServerError, &awsError{"InternalFailure", "the stand-in failed"}
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amzn-ErrorType", e.code)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": e.code, "message": e.message}) // the caller is gone when this fails
}

// Keep puts a secret into Secrets Manager.
func (c *Cloud) Keep(id, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secrets[id] = text
}

func (c *Cloud) getSecretValue(in struct {
	SecretID string `json:"SecretId"`
}) (map[string]string, error) {
	c.mu.Lock()
	text, ok := c.secrets[in.SecretID]
	c.mu.Unlock()
	if !ok {
		return nil, &awsError{"ResourceNotFoundException", "Secrets Manager can't find the specified secret."}
	}
	return map[string]string{"ARN": ARN("secretsmanager", "secret:"+in.SecretID), "Name": in.SecretID, "SecretString": text}, nil
}

type sendMessage struct {
	QueueURL     string               `json:"QueueUrl"`
	Body         string               `json:"MessageBody"`
	DelaySeconds int                  `json:"DelaySeconds"`
	Attributes   map[string]Attribute `json:"MessageAttributes"`
}

func (c *Cloud) sendMessage(in sendMessage) (map[string]string, error) {
	name := in.QueueURL[strings.LastIndexByte(in.QueueURL, '/')+1:]
	switch {
	case in.Body == "" || len(in.Body) > 256<<10:
		return nil, &awsError{"InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be between 1 and 262144 bytes."}
	case in.DelaySeconds < 0 || in.DelaySeconds > 900:
		return nil, &awsError{"InvalidParameterValue", fmt.Sprintf("Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", in.DelaySeconds)}
	}
	id, ok := c.options.Queues.Send(name, in.Body, in.Attributes, time.Duration(in.DelaySeconds)*time.Second)
	if !ok {
		return nil, &awsError{"QueueDoesNotExist", "The specified queue does not exist."}
	}
	return map[string]string{"MessageId": id, "MD5OfMessageBody": digest(in.Body)}, nil
}
