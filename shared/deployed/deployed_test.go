package deployed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

func settings(pairs ...string) func(string) (string, bool) {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(name string) (string, bool) { v, ok := m[name]; return v, ok }
}

func TestOpenNamesEverySettingThatIsMissing(t *testing.T) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	w := open(settings("AWS_ENDPOINT_URL_KMS", "http://example.com"), log)
	if _, _, err := w.Keys(t.Context()); err == nil {
		t.Error("nothing is set, and there are keys")
	} else {
		for _, name := range []string{"AWS_REGION", "DOUDI_TABLE", "DOUDI_SEAL_KEY", "AWS_ENDPOINT_URL_KMS"} {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("%s is not named: %v", name, err)
			}
		}
	}
	w = open(settings("AWS_REGION", "cn-north-1", "DOUDI_TABLE", "t", "AWS_ACCESS_KEY_ID", "a", "AWS_SECRET_ACCESS_KEY", "b", "DOUDI_SEAL_KEY", "k"), log)
	if _, err := w.Box(); err != nil {
		t.Errorf("all is set: %v", err)
	}
}

func TestEndpointsAreTheRegionsOwnUnlessNamed(t *testing.T) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	whole := []string{"AWS_REGION", "cn-north-1", "DOUDI_TABLE", "t"}
	w := open(settings(append(whole, "AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:9")...), log)
	if at := w.endpoint("SQS"); at != "" {
		t.Errorf("nothing is named, and SQS is at %s", at)
	}
	if at := w.endpoint("KMS"); at != "http://127.0.0.1:9" || w.Settings.Err() != nil {
		t.Error("the endpoint that is named is not used")
	}
	if open(settings(append(whole, "AWS_ENDPOINT_URL_DYNAMODB", "http://example.com")...), log).Settings.Err() == nil {
		t.Error("a table in the clear on somebody else's machine was accepted")
	}
}

func TestBothTellsABatchFromARequest(t *testing.T) {
	handle := both(
		func(_ context.Context, r events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
			return events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: r.RawPath}, nil
		},
		func(_ context.Context, e events.SQSEvent) (events.SQSEventResponse, error) {
			return events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{{ItemIdentifier: e.Records[0].MessageId}}}, nil
		})
	for event, want := range map[string]string{
		`{"Records":[{"messageId":"m1","eventSource":"aws:sqs"}]}`:                               `"itemIdentifier":"m1"`,
		`{"version":"2.0","rawPath":"/v1/callbacks/bank","body":"{\"Records\":[{}]}"}`:           `"body":"/v1/callbacks/bank"`,
		`{"version":"2.0","rawPath":"/v1/callbacks/bank","headers":{"Records":"[1]"},"body":""}`: `"body":"/v1/callbacks/bank"`,
	} {
		answer, err := handle(t.Context(), json.RawMessage(event))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(answer)
		if err != nil || !strings.Contains(string(raw), want) {
			t.Errorf("%s was answered %s, %v", event, raw, err)
		}
	}
	if _, err := handle(t.Context(), json.RawMessage(`[`)); err == nil {
		t.Error("what is no event was handled")
	}
}

func TestThreeTellsChangesTheClockAndRequestsApart(t *testing.T) {
	handle := three(
		func(_ context.Context, r events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
			return events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: r.RawPath}, nil
		},
		func(_ context.Context, e events.DynamoDBEvent) (events.DynamoDBEventResponse, error) {
			return events.DynamoDBEventResponse{BatchItemFailures: []events.DynamoDBBatchItemFailure{{ItemIdentifier: e.Records[0].EventID}}}, nil
		},
		func(context.Context) error { return errors.New("ticked") })
	for event, want := range map[string]string{
		`{"Records":[{"eventID":"e1","eventSource":"aws:dynamodb"}]}`:                                 `"itemIdentifier":"e1"`,
		`{"version":"2.0","rawPath":"/v1/log","body":"{\"Records\":[{}],\"source\":\"aws.events\"}"}`: `"body":"/v1/log"`,
		`{"version":"0","source":"aws.events","detail-type":"Scheduled Event"}`:                       "ticked",
	} {
		answer, err := handle(t.Context(), json.RawMessage(event))
		raw, err2 := json.Marshal(answer)
		if err2 != nil || !strings.Contains(string(raw)+fmt.Sprint(err), want) {
			t.Errorf("%s was answered %s, %v", event, raw, err)
		}
	}
	if _, err := handle(t.Context(), json.RawMessage(`[`)); err == nil {
		t.Error("what is no event was handled")
	}
}
