package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/doudi-aid/doudi/shared/disclosure"
)

// mostOpen is how many bytes of one file of open data are read.
const mostOpen = 64 << 20

// openData fetches one county's open data of a year into a folder, when told from
// where, and makes every total of it again.
func openData(ctx context.Context, args []string, out, errs io.Writer) error {
	f := flag.NewFlagSet("opendata", flag.ContinueOnError)
	f.SetOutput(errs)
	from := f.String("url", "", "where the API is; empty checks what is in the folder already 接口地址，不填则只核对文件夹里的数据")
	county := f.String("division", "", "the county, by its code, such as 320402 区县代码")
	year := f.Int("year", time.Now().Year(), "the year of the funds 资金年度")
	f.Usage = func() {
		fmt.Fprintln(errs, "doudi opendata [flags] DIR: fetch open data and make every total again 下载开放数据并重新计算每个合计")
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		return usage(err)
	}
	if f.NArg() != 1 || *from != "" && *county == "" {
		f.Usage()
		return errUsage
	}
	dir := f.Arg(0)
	if *from != "" {
		if err := fetchOpenData(ctx, *from, *county, *year, dir); err != nil {
			return err
		}
	}
	files := map[string][]byte{}
	for _, name := range append(disclosure.FileNames(), disclosure.ManifestFile) {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		files[name] = raw
	}
	wrong := disclosure.Recompute(files)
	for _, w := range wrong {
		fmt.Fprintln(out, "WRONG 不符:", w)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d things in %s do not add up 数据不符", len(wrong), dir)
	}
	fmt.Fprintln(out, "every file is the one of the manifest, and every total adds up 文件与清单一致，每个合计都重新算出")
	return nil
}

func fetchOpenData(ctx context.Context, from, county string, year int, dir string) error {
	base, err := url.JoinPath(from, "/v1/open-data", county, fmt.Sprint(year))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	manifest, err := fetchOpen(ctx, base)
	if err != nil {
		return err
	}
	var m disclosure.Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		return fmt.Errorf("the manifest cannot be read: %w", err)
	}
	files := map[string][]byte{disclosure.ManifestFile: manifest}
	for _, name := range disclosure.FileNames() { // and no name that the other side makes up
		if files[name], err = fetchOpen(ctx, base+"/"+name); err != nil {
			return err
		}
	}
	for name, raw := range files {
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func fetchOpen(ctx context.Context, at string) ([]byte, error) {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, mostOpen))
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", at, res.Status)
	}
	return raw, nil
}
