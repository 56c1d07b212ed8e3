package cost_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/doudi-aid/doudi"
	"github.com/doudi-aid/doudi/cmd/doudi/cost"
)

func TestShippedPricesAndCountsCanBeRead(t *testing.T) {
	t.Parallel()
	root := os.DirFS("../../..")
	counts, err := cost.ReadCounts(root)
	if err != nil || counts.Application[cost.WriteUnit] < 10 || counts.Application[cost.HTTPRequest] < 5 || counts.Month[cost.AlarmMonth] < 5 {
		t.Fatalf("%+v %v", counts, err)
	}
	for _, region := range []string{"us-east-1", "cn-north-1", "cn-northwest-1"} {
		prices, err := cost.ReadPrices(root, region)
		if err != nil {
			t.Errorf("%s: %v", region, err)
			continue
		}
		var out bytes.Buffer
		cost.Print(&out, counts, prices)
		if unknown := strings.Contains(out.String(), "not known: "); unknown != strings.HasPrefix(region, "cn-") {
			t.Errorf("%s says a sum that it cannot know, or none that it can:\n%s", region, out.String())
		}
	}
}

func TestPricesThatCannotBeBelieved(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../../infra/prices/us-east-1.toml")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"good":                 {"x", "x", ""},
		"other_region":         {`"us-east-1"`, `"us-east-2"`, "says it is of"},
		"no_currency":          {`"USD"`, `""`, "says it is of"},
		"unit_unknown":         {`"sqs_request"`, `"fax"`, `"fax" is no unit`},
		"twice":                {`"sqs_request"`, `"kms_request"`, "two prices"},
		"not_listed":           {`"sqs_request"`, `"kms_request"`, "sqs_request is not listed"},
		"no_source":            {`source = "as the write unit"`, `source = ""`, "no source"},
		"free":                 {"amount = 0.4\n", "amount = 0\n", "neither a price nor unknown"},
		"unknown_with_a_price": {"amount = 0.4\n", "amount = 0.4\nunknown = true\n", "neither a price nor unknown"},
		"per_nothing":          {"per = 1000000.0", "per = 0.0", "neither a price"},
		"key_unknown":          {"currency", "corrency", "mean nothing"},
	} {
		if name != "good" && !strings.Contains(string(raw), c.old) {
			t.Fatalf("%s: the case no longer fits", name)
		}
		files := fstest.MapFS{cost.Folder + "/us-east-1.toml": {Data: []byte(strings.Replace(string(raw), c.old, c.new, 1))}}
		_, err := cost.ReadPrices(files, "us-east-1")
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := cost.ReadPrices(fstest.MapFS{}, "mars-1"); err == nil {
		t.Error("prices out of nowhere")
	}
}

func TestWhatIsUnknownIsNotFree(t *testing.T) {
	t.Parallel()
	prices := cost.Prices{Price: []cost.Price{{Unit: cost.WriteUnit, Per: 1e6, Amount: 0.5}, {Unit: cost.ReadUnit, Per: 1e6, Unknown: true}}}
	lines, sum, complete := cost.Bill(map[cost.Unit]float64{cost.WriteUnit: 10, cost.ReadUnit: 3}, 1e6, prices)
	if len(lines) != 2 || sum != 5 || complete || lines[1].Known {
		t.Errorf("%+v %v %v", lines, sum, complete)
	}
	if _, sum, complete := cost.Bill(map[cost.Unit]float64{cost.WriteUnit: 2}, 1e6, prices); sum != 1 || !complete {
		t.Errorf("%v %v", sum, complete)
	}
}

func TestEngineCountsWhatTheFunctionsUse(t *testing.T) {
	t.Parallel()
	var asked []string
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, string(body))
		switch {
		case strings.HasSuffix(r.Header.Get("X-Amz-Target"), "TransactWriteItems"):
			_, _ = io.WriteString(w, `{"ConsumedCapacity":[{"CapacityUnits":6},{"CapacityUnits":2}]}`)
		case strings.HasSuffix(r.Header.Get("X-Amz-Target"), "PutItem"):
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"message":"refused"}`)
		default:
			_, _ = io.WriteString(w, `{"ConsumedCapacity":{"CapacityUnits":0.5},"Items":[]}`)
		}
	}))
	defer engine.Close()
	at, err := url.Parse(engine.URL)
	if err != nil {
		t.Fatal(err)
	}
	meter := cost.NewMeter()
	front := httptest.NewServer(meter.Engine(at, func(function string) bool { return function == "pay" }))
	defer front.Close()
	for _, c := range []struct{ by, target, body string }{
		{"pay", "DynamoDB_20120810.TransactWriteItems", `{"TransactItems":[]}`},
		{"pay", "DynamoDB_20120810.Query", `{"TableName":"x"}`},
		{"pay", "DynamoDB_20120810.GetItem", `not json`},
		{"pay", "DynamoDB_20120810.PutItem", `{}`},
		{"pay", "DynamoDBStreams_20120810.GetRecords", `{}`},
		{"sweep", "DynamoDB_20120810.Query", `{}`},
	} {
		r, err := http.NewRequest(http.MethodPost, front.URL, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", c.target)
		r.Header.Set("X-Amz-Security-Token", c.by)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(answer.Body); len(body) == 0 {
			t.Errorf("%s: the answer is lost", c.target)
		}
		_ = answer.Body.Close()
	}
	taken := meter.Taken()
	if taken[cost.WriteUnit] != 8 || taken[cost.ReadUnit] != 1 {
		t.Errorf("%v", taken)
	}
	if !strings.Contains(asked[0], `"ReturnConsumedCapacity":"TOTAL"`) || asked[2] != "not json" || strings.Contains(asked[4], "Return") {
		t.Errorf("%v", asked)
	}
}

func TestMonthIsThatOfTheTemplate(t *testing.T) {
	t.Parallel()
	month, err := cost.Standing(doudi.Stack(), 20)
	if err != nil || month[cost.KeyMonth] != 2 || month[cost.DashboardMonth] != 1 || month[cost.NATHour] != 730 || month[cost.QueueRequest] != 730*180*20 {
		t.Errorf("%v %v", month, err)
	}
	if _, err := cost.Standing(fstest.MapFS{"a.yaml": {Data: []byte("[")}}, 1); err == nil {
		t.Error("read what cannot be read")
	}
}
