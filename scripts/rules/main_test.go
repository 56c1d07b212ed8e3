package main

import (
	"os"
	"testing"

	"github.com/doudi-aid/doudi/shared/inspection/model"
)

// The page about models says what the models say.
func TestThePageIsCurrent(t *testing.T) {
	t.Parallel()
	set, err := model.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	want, err := document("../../docs/models.md", set)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/models.md")
	if err != nil || string(got) != string(want) {
		t.Errorf("make rules was not run: %v", err)
	}
	if _, err := document("main.go", set); err == nil {
		t.Error("a page without a mark was taken")
	}
}
