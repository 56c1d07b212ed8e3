package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/sheet"
)

// mostRows is how many rows one request carries.
const mostRows = 200

// tellMandates brings a spreadsheet of measures to the API of a supervision body.
// Nothing is brought while a row is bad, unless told to leave bad rows out; the same
// file again changes nothing.
func tellMandates(ctx context.Context, args []string, out, errs io.Writer) error {
	f := flag.NewFlagSet("doudi mandates", flag.ContinueOnError)
	f.SetOutput(errs)
	url := f.String("url", "http://127.0.0.1:8080", "address of the API")
	body := f.String("body", "", "the supervision body, by the twelve-digit code of its area")
	list := f.String("list", "", "name of the list; empty takes the file's name")
	skip := f.Bool("skip-bad", false, "take the good rows although some are bad")
	check := f.Bool("check", false, "read the file and bring nothing")
	if err := f.Parse(args); err != nil {
		return usage(err)
	}
	if f.NArg() != 1 || *body == "" {
		fmt.Fprintln(errs, "doudi mandates: needs -body CODE and one FILE.xlsx; the token of a supervisor's session is read from DOUDI_TOKEN")
		return errUsage
	}
	file, err := os.Open(f.Arg(0))
	if err != nil {
		return err
	}
	defer file.Close()
	rows, bad, err := sheet.Mandates(file)
	if err != nil {
		return err
	}
	for _, b := range bad {
		fmt.Fprintf(errs, "  第 %d 行 row %d: %s\n", b.Row, b.Row, b.What)
	}
	fmt.Fprintf(out, "  %d 行可用，%d 行有误  %d good rows, %d bad\n", len(rows), len(bad), len(rows), len(bad))
	switch {
	case len(bad) > 0 && !*skip:
		return errors.New("nothing was brought: mend the rows above, or -skip-bad")
	case *check || len(rows) == 0:
		return nil
	}
	if *list == "" {
		*list = strings.TrimSuffix(filepath.Base(f.Arg(0)), filepath.Ext(f.Arg(0)))
	}
	for len(rows) > 0 {
		n := min(mostRows, len(rows))
		told, err := bring(ctx, *url, map[string]any{"body": *body, "list": *list, "skip_bad": *skip, "rows": rows[:n]})
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  新增 %d，已有 %d，未收 %d  %d new, %d known, %d not taken\n", told.New, told.Known, len(told.Bad), told.New, told.Known, len(told.Bad))
		for _, b := range told.Bad {
			fmt.Fprintf(errs, "  %s: %s\n", rows[b.Row].Number, b.Fields)
		}
		rows = rows[n:]
	}
	return nil
}

type told struct {
	New   int `json:"new"`
	Known int `json:"known"`
	Bad   []struct {
		Row    int             `json:"row"`
		Fields json.RawMessage `json:"fields"`
	} `json:"bad"`
}

// bring sends rows. The key is the digest of what is sent, so that a file brought
// again after a lost answer gets the answer of the first time.
func bring(ctx context.Context, url string, v any) (told, error) {
	var t told
	raw, err := json.Marshal(v)
	if err != nil {
		return t, err
	}
	sum := sha256.Sum256(raw)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(url, "/")+"/v1/staff/mandates", bytes.NewReader(raw))
	if err != nil {
		return t, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", hex.EncodeToString(sum[:]))
	req.Header.Set("Authorization", "Bearer "+os.Getenv("DOUDI_TOKEN"))
	res, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		return t, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err != nil {
		return t, err
	}
	if res.StatusCode != http.StatusOK {
		return t, fmt.Errorf("the API answers %d: %s", res.StatusCode, answer)
	}
	return t, json.Unmarshal(answer, &t)
}
