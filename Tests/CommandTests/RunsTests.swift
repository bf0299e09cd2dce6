import Foundation
import Testing

@testable import Training
@testable import twinflow

@Suite struct RunsTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Writes the folder of a run.
  private func run(_ name: String, lines: [String]) throws -> String {
    let path = folder.path + "/" + name
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    _ = try folder.file("\(name)/log.jsonl", lines.joined(separator: "\n") + "\n")
    return path
  }

  private let losses = (1...50).map {
    "{\"step\": \($0), \"loss\": \(100 / Double($0)), \"multi_step\": 1, \"gradient_norm\": 2}"
  }

  @Test func runsAreListed() throws {
    _ = try run("first", lines: losses)
    _ = try run("second", lines: [])
    let result = try Command.run("runs", folder.path)
    #expect(result.status == 0, "\(result.errors)")
    let lines = result.output.split(separator: "\n")
    #expect(lines.count == 3)
    #expect(lines[1].contains("first") && lines[1].contains("50") && lines[1].contains(" 2 "))
    #expect(lines[2].contains("second") && lines[2].contains("–"))
  }

  @Test(
    arguments: [
      (["runs", "nowhere"], "There is no folder"),
      (["runs", "show", "Sources"], "not the folder"),
    ] as [([String], String)])
  func whatIsNoRunIsAnError(arguments: [String], text: String) throws {
    let result = try Command.start(arguments).finish()
    #expect(result.status != 0 && result.errors.contains(text))
  }

  @Test func aPageStandsAlone() throws {
    let path = try run("<b> & \"c\"", lines: losses)
    let picture = Data(base64Encoded: "iVBORw0KGgo=")!
    let samples = SampleFolder(of: path)
    try FileManager.default.createDirectory(
      atPath: samples.path, withIntermediateDirectories: true)
    for step in [20, 40] {
      try picture.write(to: URL(fileURLWithPath: samples.path(step)))
    }
    let result = try Command.run("runs", "show", path)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("loss, logarithmic"))
    let page = try String(contentsOfFile: path + "/run.html", encoding: .utf8)
    #expect(page.hasPrefix("<!doctype html>"))
    #expect(page.contains("<title>&lt;b&gt; &amp; &quot;c&quot;</title>"))
    // Nothing is fetched.
    #expect(!page.contains("http") && !page.contains("url(") && !page.contains("<link"))
    #expect(page.contains("prefers-color-scheme: dark"))
    #expect(page.ranges(of: "data:image/png;base64,iVBORw0KGgo=").count == 2)
    #expect(page.contains("<img data-step=40") && page.contains("after step 40"))
    #expect(page.ranges(of: "<polyline").count == 3)
    // The same page replaces itself, and no other file is replaced.
    #expect(try Command.run("runs", "show", path).status == 0)
    let other = try folder.file("notes.html", "my notes")
    let refused = try Command.run("runs", "show", path, "--output", other)
    #expect(refused.status != 0)
    #expect(try String(contentsOfFile: other, encoding: .utf8) == "my notes")
  }

  @Test func aChartHoldsItsEndsAndItsSize() {
    let chart = TerminalChart(
      title: "x", points: [(1, 1), (200, 3), (400, 2)], width: 20, height: 4)
    let lines = chart.text.split(separator: "\n")
    #expect(lines.count == 6)
    #expect(lines[1].hasPrefix("3 ┤") && lines[4].hasPrefix("1 ┤"))
    #expect(lines[1...4].allSatisfy { $0.count == 3 + 20 })
    #expect(lines[5].hasPrefix("   1 ") && lines[5].hasSuffix("400"))
    #expect(lines[4].dropFirst(3).first != "⠀", "the first point is at the bottom")
    #expect(lines[1].last == "⠀", "the last point is not at the top")
    #expect(TerminalChart(title: "x", points: [(1, .nan)]).text == "x")
  }

  @Test(arguments: [1, 600, 601, 5000])
  func longLinesAreThinned(count: Int) throws {
    let lines = (1...count).map { "{\"step\": \($0), \"loss\": 2}" }
    let log = try RunLog(of: run("long-\(count)", lines: lines))
    let chart = try #require(PageChart("Loss", log.series))
    #expect(chart.lines[0].steps.last == count)
    #expect(chart.lines[0].steps.count <= 600)
    #expect(chart.lines[0].values.allSatisfy { $0 == 2 })
    #expect(!chart.html.contains("nan") && !chart.html.contains("inf"))
  }
}
