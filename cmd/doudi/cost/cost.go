// Package cost says what a region costs: units counted in a real run of the
// shipped functions, times prices that are data with a source and a day. It
// knows no price itself, and where one is not known it says so and adds nothing.
package cost

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// Folder is where prices and counts are, from the root of the repository.
const Folder = "infra/prices"

// countsFile are the counts of the last run that was kept.
const countsFile = "counts.toml"

// Unit is one thing that is paid for.
type Unit string

// The units.
const (
	HTTPRequest     Unit = "http_request"
	LambdaRequest   Unit = "lambda_request"
	LambdaGBSecond  Unit = "lambda_gb_second"
	WriteUnit       Unit = "dynamodb_write_unit"
	ReadUnit        Unit = "dynamodb_read_unit"
	QueueRequest    Unit = "sqs_request"
	KMSRequest      Unit = "kms_request"
	SecretRead      Unit = "secret_read"
	LogGB           Unit = "log_gb"
	AlarmMonth      Unit = "alarm_month"
	MetricMonth     Unit = "metric_month"
	DashboardMonth  Unit = "dashboard_month"
	KeyMonth        Unit = "kms_key_month"
	SecretMonth     Unit = "secret_month"
	NATHour         Unit = "nat_hour"
	PublicAddressHr Unit = "public_address_hour"
)

// units lists all, in the order they are shown.
var units = []Unit{HTTPRequest, LambdaRequest, LambdaGBSecond, WriteUnit, ReadUnit, QueueRequest, KMSRequest, SecretRead, LogGB,
	AlarmMonth, MetricMonth, DashboardMonth, KeyMonth, SecretMonth, NATHour, PublicAddressHr}

// Counts are units of one application, and of one month in which nobody applies.
type Counts struct {
	Day         string           `toml:"day"`
	How         string           `toml:"how"`
	Application map[Unit]float64 `toml:"application"`
	Month       map[Unit]float64 `toml:"month"`
}

// Prices are those of one AWS region.
type Prices struct {
	Region   string  `toml:"aws_region"`
	Currency string  `toml:"currency"`
	Price    []Price `toml:"price"`
}

// Price is what Per units cost. Amount 0 with Unknown set is a price nobody has
// looked up yet; it is never taken for free.
type Price struct {
	Unit    Unit    `toml:"unit"`
	Per     float64 `toml:"per"`
	Amount  float64 `toml:"amount"`
	Unknown bool    `toml:"unknown"`
	Source  string  `toml:"source"`
	Day     string  `toml:"day"`
}

// ReadPrices reads the prices of an AWS region and reports everything wrong in
// the file.
func ReadPrices(root fs.FS, region string) (Prices, error) {
	var p Prices
	if err := decode(root, region+".toml", &p); err != nil {
		return p, err
	}
	var problems []error
	seen := map[Unit]bool{}
	for _, one := range p.Price {
		switch {
		case !slices.Contains(units, one.Unit):
			problems = append(problems, fmt.Errorf("cost: %s: %q is no unit", region, one.Unit))
		case seen[one.Unit]:
			problems = append(problems, fmt.Errorf("cost: %s: %s has two prices", region, one.Unit))
		case one.Source == "" || one.Day == "":
			problems = append(problems, fmt.Errorf("cost: %s: %s has no source or no day", region, one.Unit))
		case one.Per <= 0 || one.Amount < 0 || one.Unknown != (one.Amount == 0):
			problems = append(problems, fmt.Errorf("cost: %s: %s is neither a price nor unknown", region, one.Unit))
		}
		seen[one.Unit] = true
	}
	for _, u := range units {
		if !seen[u] {
			problems = append(problems, fmt.Errorf("cost: %s: %s is not listed", region, u))
		}
	}
	if p.Region != region || p.Currency == "" {
		problems = append(problems, fmt.Errorf("cost: %s: says it is of %q in %q", region, p.Region, p.Currency))
	}
	return p, errors.Join(problems...)
}

// ReadCounts reads the counts that were kept.
func ReadCounts(root fs.FS) (Counts, error) {
	var c Counts
	return c, decode(root, countsFile, &c)
}

func decode(root fs.FS, name string, into any) error {
	raw, err := fs.ReadFile(root, path.Join(Folder, name))
	if err != nil {
		return fmt.Errorf("cost: %w", err)
	}
	meta, err := toml.Decode(string(raw), into)
	if err == nil && len(meta.Undecoded()) > 0 {
		err = fmt.Errorf("keys that mean nothing: %v", meta.Undecoded())
	}
	if err != nil {
		return fmt.Errorf("cost: %s: %w", name, err)
	}
	return nil
}

// Line is one unit of a bill.
type Line struct {
	Unit   Unit
	Count  float64
	Amount float64
	Known  bool // else Amount is nothing
}

// Bill multiplies counts by times, and by prices.
func Bill(counts map[Unit]float64, times float64, prices Prices) (lines []Line, sum float64, complete bool) {
	complete = true
	for _, u := range units {
		n := counts[u] * times
		if n == 0 {
			continue
		}
		l := Line{Unit: u, Count: n}
		for _, p := range prices.Price {
			if p.Unit == u && !p.Unknown {
				l.Amount, l.Known = n*p.Amount/p.Per, true
			}
		}
		complete = complete && l.Known
		sum += l.Amount
		lines = append(lines, l)
	}
	return lines, sum, complete
}

// Print writes the bill of a million applications and of a month.
func Print(out io.Writer, c Counts, p Prices) {
	fmt.Fprintf(out, "%s, prices in %s; counted %s: %s\n", p.Region, p.Currency, c.Day, c.How)
	for _, part := range []struct {
		title  string
		counts map[Unit]float64
		times  float64
	}{{"1 000 000 applications", c.Application, 1e6}, {"one month, whoever applies", c.Month, 1}} {
		lines, sum, complete := Bill(part.counts, part.times, p)
		fmt.Fprintf(out, "\n%s\n", part.title)
		for _, l := range lines {
			amount := "price unknown"
			if l.Known {
				amount = fmt.Sprintf("%.2f", l.Amount)
			}
			fmt.Fprintf(out, "  %-22s %16.0f %16s\n", l.Unit, l.Count, amount)
		}
		total := fmt.Sprintf("%.2f", sum)
		if !complete {
			total = "not known: " + strings.Join(unknown(lines), ", ")
		}
		fmt.Fprintf(out, "  %-22s %16s %16s\n", "sum, "+p.Currency, "", total)
	}
}

func unknown(lines []Line) (names []string) {
	for _, l := range lines {
		if !l.Known {
			names = append(names, string(l.Unit))
		}
	}
	return names
}
