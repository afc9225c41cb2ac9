// Checks a tree with the Go project's own implementation of signed notes and tiled logs (golang.org/x/mod/sumdb), which
// shares no line with ours. See docs/evaluation.md for how to run it.
//
//	tlog TREE KEY [PROOF…]     TREE …/ledger/tree/TENANT, KEY the verifier key (first line), PROOF a C2SP tlog-proof
//
// Says what it checked; ends with 1 at the first thing that is wrong.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/ioutil"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must(err error) {
	if err != nil {
		fmt.Println("BAD:", err)
		os.Exit(1)
	}
}

// Go writes the height of its tiles into their path; C2SP leaves it out, because it is always 8.
type tiles string

func (tiles) Height() int                      { return 8 }
func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t tiles) ReadTiles(names []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(names))
	for i, name := range names {
		read, err := ioutil.ReadFile(filepath.Join(string(t), strings.Replace(name.Path(), "tile/8/", "tile/", 1)))
		if err != nil {
			return nil, err
		}
		data[i] = read
	}
	return data, nil
}

// head opens a checkpoint; the signature of a key that is not known (our ML-DSA line, a witness) is passed over.
func head(text []byte, verifier note.Verifier) tlog.Tree {
	opened, err := note.Open(text, note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	must(err)
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree
}

func entries(folder string, size int64) [][]byte {
	var all [][]byte
	for int64(len(all)) < size {
		width := size - int64(len(all))
		if width > 256 {
			width = 256
		}
		tile := tlog.Tile{H: 8, L: -1, N: int64(len(all)) / 256, W: int(width)}
		path := strings.Replace(tile.Path(), "tile/8/data/", "tile/entries/", 1)
		data, err := ioutil.ReadFile(filepath.Join(folder, path))
		must(err)
		for len(data) > 0 {
			length := binary.BigEndian.Uint16(data)
			all = append(all, data[2:2+length])
			data = data[2+length:]
		}
	}
	return all
}

func checkProof(file string, verifier note.Verifier, all [][]byte) {
	text, err := ioutil.ReadFile(file)
	must(err)
	parts := strings.SplitN(string(text), "\n\n", 2)
	tree := head([]byte(parts[1]), verifier)
	var index int64
	var proof tlog.RecordProof
	for _, line := range strings.Split(parts[0], "\n")[1:] {
		if strings.HasPrefix(line, "index ") {
			index, err = strconv.ParseInt(line[6:], 10, 64)
			must(err)
		} else if !strings.HasPrefix(line, "extra ") {
			step, err := base64.StdEncoding.DecodeString(line)
			must(err)
			var hash tlog.Hash
			copy(hash[:], step)
			proof = append(proof, hash)
		}
	}
	must(tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(all[index])))
	fmt.Printf("proof of entry %d under a head of %d: good\n", index, tree.N)
}

func main() {
	folder := os.Args[1]
	keys, err := ioutil.ReadFile(os.Args[2])
	must(err)
	verifier, err := note.NewVerifier(strings.SplitN(string(keys), "\n", 2)[0])
	must(err)
	text, err := ioutil.ReadFile(filepath.Join(folder, "checkpoint"))
	must(err)
	tree := head(text, verifier)
	reader := tlog.TileHashReader(tree, tiles(folder))
	all := entries(folder, tree.N)
	for i, entry := range all {
		proof, err := tlog.ProveRecord(tree.N, int64(i), reader)
		must(err)
		must(tlog.CheckRecord(proof, tree.N, tree.Hash, int64(i), tlog.RecordHash(entry)))
	}
	fmt.Printf("head of %d entries: signed, and each entry and tile under it\n", tree.N)
	kept, _ := ioutil.ReadFile(filepath.Join(folder, "checkpoints.jsonl"))
	count := 0
	for _, line := range strings.Split(strings.TrimSpace(string(kept)), "\n") {
		var text string
		if line == "" || json.Unmarshal([]byte(line), &text) != nil {
			continue
		}
		older := head([]byte(text), verifier)
		if older.N > 0 {
			proof, err := tlog.ProveTree(tree.N, older.N, reader)
			must(err)
			must(tlog.CheckTree(proof, tree.N, tree.Hash, older.N, older.Hash))
		}
		count++
	}
	fmt.Printf("%d kept heads: signed, and contained in it\n", count)
	for _, file := range os.Args[3:] {
		checkProof(file, verifier, all)
	}
}
