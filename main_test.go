package main

import (
	"encoding/json"
	"os"
	"testing"
)

// A plain `go build` and the packages say the same version.
func TestVersionIsThatOfThePackages(t *testing.T) {
	data, err := os.ReadFile("wails.json")
	if err != nil {
		t.Fatal(err)
	}
	var packages struct {
		Info struct {
			ProductVersion string `json:"productVersion"`
		} `json:"info"`
	}
	if err := json.Unmarshal(data, &packages); err != nil {
		t.Fatal(err)
	}
	if version != packages.Info.ProductVersion {
		t.Errorf("main.go says %s, wails.json %s", version, packages.Info.ProductVersion)
	}
}
