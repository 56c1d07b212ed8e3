package disclosure

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/shared/policy"
)

// Manifest names every file of one county's open data of a year, with its hash.
type Manifest struct {
	County     string `json:"county"`
	CountyName string `json:"county_name"`
	Year       int    `json:"year"`
	Licence    string `json:"licence"`
	About      string `json:"about"`
	Files      []File `json:"files"`
	// Editions are what it was made of, each with the hash of what was posted last.
	Editions []Made `json:"editions"`
}

// File is one file of open data.
type File struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Bytes  int    `json:"bytes"`
}

// Made is one edition that open data was made of.
type Made struct {
	ID        string `json:"id"`
	Number    int    `json:"number"`
	SHA256    string `json:"sha256"`
	TakenDown int    `json:"taken_down"` // places whose lines were taken down
}

// AmountRow is one amount told, without a name, a line or a day.
type AmountRow struct {
	Edition   int       `json:"edition"`
	Kind      string    `json:"kind"`
	Place     string    `json:"place"`
	AmountFen money.Fen `json:"amount_fen"`
}

// CellRow is one cell.
type CellRow struct {
	Edition   int       `json:"edition"`
	Kind      string    `json:"kind"`
	Place     string    `json:"place"`
	PlaceName string    `json:"place_name"`
	Township  string    `json:"township"`
	Persons   int       `json:"persons"`
	AmountFen money.Fen `json:"amount_fen"`
}

// Names of the files.
const (
	ManifestFile = "manifest.json"
	schemaFile   = "schema.json"
)

// Open is a county's open data of a year: for each table a CSV and a JSON Lines
// file of the same rows, the schema of the rows, and the manifest. The same
// editions give the same bytes. Editions that were never public are left out, and
// those that post proposals: they may come to nothing. ErrNotFound where none was.
func Open(told []Edition) (map[string][]byte, error) {
	told = slices.DeleteFunc(slices.Clone(told), func(e Edition) bool { return e.Rule != nil })
	last := -1
	for i, e := range told {
		if !e.Published.IsZero() {
			last = i
		}
	}
	if last < 0 {
		return nil, ErrNotFound
	}
	told = told[:last+1]
	// The rows of the last edition are those of all before it.
	d, err := told[last].Document()
	if err != nil {
		return nil, err
	}
	m := Manifest{County: d.County, CountyName: d.CountyName, Year: d.Year, Licence: "CC-BY-4.0", Files: []File{}, Editions: []Made{},
		About: "每个数字都能由这里的数据重新算出：amounts 之和是 cells，cells 之和是 funds。人数不足的地方合并到上一级。" +
			" Every figure can be made again from this data: amounts add up to cells, cells to funds."}
	amounts, cells := []AmountRow{}, []CellRow{}
	for _, e := range told {
		m.Editions = append(m.Editions, Made{e.ID, e.Number, e.SHA256, len(e.Down)})
		for _, c := range e.Cells {
			cells = append(cells, CellRow{e.Number, c.Kind, c.Place, c.PlaceName, c.Township, c.Persons, c.AmountFen})
			for _, fen := range c.AmountsFen {
				amounts = append(amounts, AmountRow{e.Number, c.Kind, c.Place, fen})
			}
		}
	}
	files := map[string][]byte{schemaFile: []byte(schema)}
	if err := write(files, "amounts", amounts); err != nil {
		return nil, err
	}
	if err := write(files, "cells", cells); err != nil {
		return nil, err
	}
	if err := write(files, "funds", d.Funds); err != nil {
		return nil, err
	}
	for _, name := range FileNames() {
		sum := sha256.Sum256(files[name])
		m.Files = append(m.Files, File{name, hex.EncodeToString(sum[:]), len(files[name])})
	}
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("disclosure: %w", err)
	}
	files[ManifestFile] = append(raw, '\n')
	return files, nil
}

// FileNames lists the files that a manifest names, in order.
func FileNames() []string {
	return []string{"amounts.csv", "amounts.jsonl", "cells.csv", "cells.jsonl", "funds.csv", "funds.jsonl", schemaFile}
}

// write makes both files of a table.
func write[Row any](files map[string][]byte, name string, rows []Row) error {
	var lines, sheet bytes.Buffer
	sheet.WriteString("\ufeff") // or a spreadsheet takes UTF-8 for something else
	w := csv.NewWriter(&sheet)
	w.UseCRLF = true
	var zero Row
	head, _, err := columns(zero)
	if err != nil {
		return err
	}
	_ = w.Write(head) // to memory
	for _, row := range rows {
		_, values, err := columns(row)
		if err != nil {
			return err
		}
		_ = w.Write(values)
		raw, err := json.Marshal(row)
		if err != nil {
			return fmt.Errorf("disclosure: %w", err)
		}
		lines.Write(append(raw, '\n'))
	}
	w.Flush()
	files[name+".csv"], files[name+".jsonl"] = sheet.Bytes(), lines.Bytes()
	return w.Error()
}

// columns are the names and the values of a row, in the order of its struct.
func columns(row any) (names, values []string, err error) {
	raw, err := json.Marshal(row)
	if err != nil {
		return nil, nil, fmt.Errorf("disclosure: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if _, err := d.Token(); err != nil {
		return nil, nil, fmt.Errorf("disclosure: %w", err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, nil, fmt.Errorf("disclosure: %w", err)
		}
		value, err := d.Token()
		if err != nil {
			return nil, nil, fmt.Errorf("disclosure: %w", err)
		}
		names = append(names, fmt.Sprint(name))
		if n, ok := value.(json.Number); ok {
			values = append(values, n.String()) // a negative number is a number
		} else {
			values = append(values, Neutral(fmt.Sprint(value)))
		}
	}
	return names, values, nil
}

// Neutral is s as a spreadsheet takes it for text: whatever a program would run
// as a formula gets an apostrophe before it (X109).
func Neutral(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n\x00＝＋－＠", []rune(s)[0]) {
		return "'" + s
	}
	return s
}

// schema describes a row of each table.
const schema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Doudi open data",
  "$defs": {
    "kind": {"enum": ["awarded", "paid", "returned"]},
    "place": {"type": "string", "pattern": "^[0-9]{12}$"},
    "fen": {"type": "integer"},
    "amounts": {
      "description": "One amount that was told. 公布过的一笔金额，不具名、不列日期。",
      "type": "object", "additionalProperties": false,
      "required": ["edition", "kind", "place", "amount_fen"],
      "properties": {"edition": {"type": "integer", "minimum": 1}, "kind": {"$ref": "#/$defs/kind"}, "place": {"$ref": "#/$defs/place"}, "amount_fen": {"$ref": "#/$defs/fen"}}
    },
    "cells": {
      "description": "What one edition tells of one place: its amounts add up to amount_fen. 一期公布中一个地方的合计。",
      "type": "object", "additionalProperties": false,
      "required": ["edition", "kind", "place", "place_name", "township", "persons", "amount_fen"],
      "properties": {"edition": {"type": "integer", "minimum": 1}, "kind": {"$ref": "#/$defs/kind"}, "place": {"$ref": "#/$defs/place"}, "place_name": {"type": "string"},
        "township": {"description": "The row of funds in which it counts.", "$ref": "#/$defs/place"}, "persons": {"type": "integer", "minimum": 5}, "amount_fen": {"$ref": "#/$defs/fen"}}
    },
    "funds": {
      "description": "One township's money of the year, as far as it is told: balance = appropriated - paid + returned; awarded and paid count how many times somebody was helped. 一个乡镇（街道）全年的资金。",
      "type": "object", "additionalProperties": false,
      "required": ["place", "place_name", "appropriated_fen", "awarded_fen", "paid_fen", "returned_fen", "balance_fen", "awarded", "paid"],
      "properties": {"place": {"$ref": "#/$defs/place"}, "place_name": {"type": "string"}, "appropriated_fen": {"$ref": "#/$defs/fen"}, "awarded_fen": {"$ref": "#/$defs/fen"},
        "paid_fen": {"$ref": "#/$defs/fen"}, "returned_fen": {"$ref": "#/$defs/fen"}, "balance_fen": {"$ref": "#/$defs/fen"}, "awarded": {"type": "integer"}, "paid": {"type": "integer"}}
    }
  }
}
`

// Recompute checks a county's open data by itself: every hash, that both files of
// a table have the same rows, and every sum from the amounts up. It names
// everything that is wrong.
func Recompute(files map[string][]byte) []error {
	var wrong []error
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	var m Manifest
	if err := json.Unmarshal(files[ManifestFile], &m); err != nil {
		return []error{fmt.Errorf("%s cannot be read", ManifestFile)}
	}
	listed := map[string]bool{}
	for _, f := range m.Files {
		listed[f.Name] = true
		sum := sha256.Sum256(files[f.Name])
		if hex.EncodeToString(sum[:]) != f.SHA256 || len(files[f.Name]) != f.Bytes {
			say("%s is not the file of the manifest", f.Name)
		}
	}
	for _, name := range FileNames() {
		if !listed[name] {
			say("%s is not in the manifest", name)
		}
	}
	amounts, cells, funds := rows[AmountRow](files, "amounts", say), rows[CellRow](files, "cells", say), rows[Fund](files, "funds", say)
	var sums summer
	parts := map[CellRow]money.Fen{}
	for _, a := range amounts {
		of := CellRow{Edition: a.Edition, Kind: a.Kind, Place: a.Place}
		total := parts[of]
		sums.add(&total, a.AmountFen)
		parts[of] = total
	}
	byRow := map[string]Fund{}
	for _, c := range cells {
		of := CellRow{Edition: c.Edition, Kind: c.Kind, Place: c.Place}
		if parts[of] != c.AmountFen {
			say("cells: edition %d, %s in %s: %d fen, the amounts make %d", c.Edition, c.Kind, c.Place, c.AmountFen, parts[of])
		}
		delete(parts, of)
		if c.Persons < policy.LeastCell {
			say("cells: edition %d, %s in %s tells of %d people", c.Edition, c.Kind, c.Place, c.Persons)
		}
		r := byRow[c.Township]
		switch c.Kind {
		case Awarded:
			sums.add(&r.AwardedFen, c.AmountFen)
			r.Awarded += c.Persons
		case Paid:
			sums.add(&r.PaidFen, c.AmountFen)
			r.Paid += c.Persons
		case Returned:
			sums.add(&r.ReturnedFen, c.AmountFen)
		default:
			say("cells: edition %d has a kind %q", c.Edition, c.Kind)
		}
		byRow[c.Township] = r
	}
	for of := range parts {
		say("amounts: edition %d, %s in %s are in no cell", of.Edition, of.Kind, of.Place)
	}
	for _, f := range funds {
		r := byRow[f.Place]
		delete(byRow, f.Place)
		r.Place, r.PlaceName, r.AppropriatedFen = f.Place, f.PlaceName, f.AppropriatedFen
		sums.balance(&r)
		if r != f {
			say("funds: %s is %+v, the cells make %+v", f.Place, f, r)
		}
	}
	for place := range byRow {
		say("cells of %s count in no row of funds", place)
	}
	if sums.err != nil {
		say("amounts: %w", sums.err)
	}
	return wrong
}

// rows reads both files of a table and says where they differ.
func rows[Row any](files map[string][]byte, name string, say func(string, ...any)) []Row {
	var all []Row
	var texts [][]string
	n := 0
	for line := range strings.Lines(string(files[name+".jsonl"])) {
		n++
		var row Row
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		err := d.Decode(&row)
		var values []string
		if err == nil {
			_, values, err = columns(row)
		}
		if err != nil {
			say("%s.jsonl, line %d cannot be read", name, n)
			continue
		}
		all, texts = append(all, row), append(texts, values)
	}
	sheet, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(files[name+".csv"], []byte("\ufeff")))).ReadAll()
	if err != nil || len(sheet) == 0 {
		say("%s.csv cannot be read", name)
		return all
	}
	if len(sheet)-1 != len(texts) {
		say("%s.csv has %s rows, %s.jsonl %s", name, strconv.Itoa(len(sheet)-1), name, strconv.Itoa(len(texts)))
		return all
	}
	for i, values := range texts {
		if strings.Join(values, "\x00") != strings.Join(sheet[i+1], "\x00") {
			say("%s: row %d differs between CSV and JSON Lines", name, i+1)
		}
	}
	return all
}
