package httpapi_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
	"github.com/doudi-aid/doudi/shared/session"
)

type sessions map[string]session.Principal

func (s sessions) Find(_ context.Context, token string) (session.Session, error) {
	p, ok := s[token]
	if !ok {
		return session.Session{}, session.ErrNone
	}
	return session.Session{Principal: p}, nil
}

type secret struct {
	Phone string `json:"phone"`
}

var errAway = fault.New(fault.NotFound, "away", "没有。", "No.")

// L06: what staff look at is told before it is answered, and what cannot be told
// is not answered.
func TestWhoLooksIsToldBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		method, token string
		show, told    bool
		fail          error // of the handler
		watch         error
		status        int
		calls         string // what the watch heard
	}{
		"shown":                           {"GET", "staff", true, false, nil, nil, 200, "shows c1 phone"},
		"nothing_shown":                   {"GET", "staff", false, false, nil, nil, 200, "shows"},
		"it_cannot_be_written":            {"GET", "staff", true, false, nil, fault.New(fault.Unavailable, "unrecorded", "稍后。", "Later."), 503, "shows c1 phone"},
		"a_refusal_cannot_be_written":     {"GET", "staff", false, false, errAway, errors.New("disk"), 500, "refused away"},
		"refused":                         {"GET", "staff", true, false, errAway, nil, 404, "refused away"},
		"refused_and_marked_already":      {"GET", "staff", true, true, errAway, nil, 404, ""},
		"a_conflict_is_no_reach":          {"GET", "staff", true, false, fault.New(fault.Conflict, "moved", "变了。", "Moved."), nil, 409, ""},
		"a_write_that_shows":              {"POST", "staff", true, false, nil, nil, 200, "shows c1 phone"},
		"a_write_that_shows_nothing":      {"POST", "staff", false, false, nil, nil, 200, ""},
		"a_write_that_shows_unrecorded":   {"POST", "staff", true, false, nil, errors.New("disk"), 500, "shows c1 phone"},
		"citizens_are_not_watched":        {"GET", "citizen", false, false, nil, nil, 200, ""},
		"nobody_shows_a_citizen_the_case": {"GET", "citizen", true, false, nil, nil, 500, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var heard []string
			caller := httpapi.Staff
			if tc.token == "citizen" {
				caller = httpapi.Citizen
			}
			h := func(ctx context.Context, _ httpapi.Call[httpapi.None]) (secret, error) {
				if tc.show {
					if err := httpapi.Show(ctx, httpapi.Shown{Case: "c1", Fields: []string{"phone"}}); err != nil {
						return secret{}, err
					}
				}
				if tc.told {
					httpapi.Told(ctx)
				}
				return secret{"13800000001"}, tc.fail
			}
			api := httpapi.New(httpapi.Config{Sessions: sessions{"staff": {Kind: session.Staff, ID: "s"}, "citizen": {Kind: session.Citizen, ID: "c"}},
				Now: time.Now, IDs: ident.Random(), Logger: slog.New(slog.DiscardHandler),
				Watch: func(_ context.Context, r httpapi.Request, shown []httpapi.Shown, refused *fault.Error) error {
					word := "shows"
					for _, s := range shown {
						word += " " + s.Case + " " + strings.Join(s.Fields, ",")
					}
					if refused != nil {
						word = "refused " + refused.Code
					}
					heard = append(heard, word)
					return tc.watch
				}}, httpapi.JSON(tc.method+" /v1/x", 200, httpapi.Options{Caller: caller}, h))
			server := httptest.NewServer(api)
			defer server.Close()
			req, err := http.NewRequestWithContext(t.Context(), tc.method, server.URL+"/v1/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+tc.token)
			res, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != tc.status || strings.Join(heard, "; ") != tc.calls {
				t.Errorf("%d %s, the watch heard %q, %v", res.StatusCode, body, heard, err)
			}
			if tc.status != 200 && strings.Contains(string(body), "138") {
				t.Errorf("it was shown all the same: %s", body)
			}
		})
	}
}

func TestNobodyShowsWhereNobodyWatches(t *testing.T) {
	t.Parallel()
	if err := httpapi.Show(t.Context(), httpapi.Shown{Case: "c"}); !errors.Is(err, httpapi.ErrUnwatched) {
		t.Errorf("got %v", err)
	}
	httpapi.Told(t.Context()) // nothing to tell, and no harm
	defer func() {
		if p := recover(); p == nil {
			t.Error("an API without a watch lets staff look")
		}
	}()
	httpapi.New(httpapi.Config{Sessions: sessions{}, Now: time.Now, IDs: ident.Random(), Logger: slog.New(slog.DiscardHandler)},
		httpapi.JSON("GET /v1/x", 200, httpapi.Options{Caller: httpapi.Staff}, func(context.Context, httpapi.Call[httpapi.None]) (secret, error) { return secret{}, nil }))
}

// A write of staff that shows something where no watch is set shows nothing.
func TestAWriteShowsNothingWithoutAWatch(t *testing.T) {
	t.Parallel()
	api := httpapi.New(httpapi.Config{Sessions: sessions{"staff": {Kind: session.Staff, ID: "s"}}, Now: time.Now, IDs: ident.Random(), Logger: slog.New(slog.DiscardHandler)},
		httpapi.JSON("POST /v1/x", 200, httpapi.Options{Caller: httpapi.Staff}, func(ctx context.Context, _ httpapi.Call[httpapi.None]) (secret, error) {
			return secret{"13800000001"}, httpapi.Show(ctx, httpapi.Shown{Case: "c"})
		}))
	req := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/x", nil)
	req.Header.Set("Authorization", "Bearer staff")
	res := httptest.NewRecorder()
	api.ServeHTTP(res, req)
	if res.Code != 500 || strings.Contains(res.Body.String(), "138") {
		t.Errorf("%d %s", res.Code, res.Body)
	}
}
