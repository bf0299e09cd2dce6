import Evaluation
import Foundation
import Pictures

/// Some prompts of a benchmark with the pictures of all runs, what was found in them, and what is wrong.
struct BenchmarkGallery {
  private let group: [BenchmarkScores]
  private let folders: [BenchmarkRun: String]

  /// The most prompts that are shown.
  private static let most = 48
  /// The longest side of a picture.
  private static let largest = 160

  init(_ group: [BenchmarkScores], folders: [BenchmarkRun: String]) {
    (self.group, self.folders) = (group, folders)
  }

  /// The numbers of prompts to show: as many of each category, from the lowest score to the highest.
  private var chosen: [Int] {
    let pictures = group.flatMap(\.pictures)
    let byPrompt = Dictionary(grouping: pictures, by: \.number)
    let scores = byPrompt.mapValues { own in
      own.reduce(0) { $0 + $1.score } / Double(own.count)
    }
    var categories: [String] = []
    for picture in pictures.sorted(by: { $0.number < $1.number })
    where !categories.contains(picture.category) {
      categories.append(picture.category)
    }
    let each = max(1, Self.most / max(1, categories.count))
    return categories.flatMap { category in
      let own = byPrompt.keys.filter { byPrompt[$0]![0].category == category }
        .sorted { (scores[$0]!, $0) < (scores[$1]!, $1) }
      let count = min(each, own.count)
      return (0..<count).map { own[count == 1 ? 0 : $0 * (own.count - 1) / (count - 1)] }
    }
  }

  var html: String {
    let numbers = chosen
    guard !numbers.isEmpty else { return "" }
    var categories: [String] = []
    let byRun = group.map { Dictionary(grouping: $0.pictures, by: \.number) }
    let prompts = numbers.map { number -> String in
      let first = byRun.lazy.compactMap { $0[number]?.first }.first!
      if !categories.contains(first.category) { categories.append(first.category) }
      let runs = group.indices.compactMap { run -> String? in
        guard let own = byRun[run][number] else { return nil }
        return """
          <div class=run><span class=who><i class="\(BenchmarkPageStyle.mark(run))"></i>\(group[run].run.title.html)</span>
          <div class=pictures>\(own.map { figure($0, group[run].run) }.joined(separator: "\n"))</div></div>
          """
      }
      let isRight = byRun.allSatisfy { ($0[number] ?? []).allSatisfy { $0.reason.isEmpty } }
      let facts = [first.item, first.category.replacing("_", with: " ")].filter { !$0.isEmpty }
      return """
        <article data-category="\(first.category.html)"\(isRight ? " data-right" : "")>
        <h3>\(first.prompt.html) <small>\(facts.joined(separator: " · ").html)</small></h3>
        <div class=side>\(runs.joined(separator: "\n"))</div>
        </article>
        """
    }
    let options = categories.map {
      "<option value=\"\($0.html)\">\($0.replacing("_", with: " ").html)"
    }
    let total = Set(group.flatMap(\.pictures).map(\.number)).count
    return """
      <section class=gallery>
      <h2>\(group[0].run.benchmark.title.html): pictures <output>\(numbers.count) of \(total) prompts, from \
      the lowest score to the highest</output></h2>
      <p class=filters>\(categories.count > 1 ? "<select aria-label=Category><option value=\"\">all categories"
        + "\(options.joined())</select>" : "") \
      <label><input type=checkbox> only with something wrong</label></p>
      \(prompts.joined(separator: "\n"))
      </section>
      """
  }

  private func figure(_ picture: BenchmarkScores.Picture, _ run: BenchmarkRun) -> String {
    let state = picture.score >= 1 ? "right" : picture.score <= 0 ? "wrong" : "partly"
    // The prompt's own folder stands above.
    let file = picture.file.trimmingPrefix("\(picture.item)/")
    let place = picture.place.map { ", picture \($0 + 1)" } ?? ""
    let reason = picture.reason.isEmpty ? "" : "<p>\(picture.reason.html)</p>"
    let found =
      picture.found.isEmpty
      ? "<p class=found>nothing found</p>" : "<p class=found>\(picture.found.html)</p>"
    return """
      <figure class=\(state)>\(image(picture, run))
      <figcaption><b>\(String(format: "%.2f", picture.score))</b> \
      <small>\(String(file).html)\(place)</small>\(reason)\(found)</figcaption></figure>
      """
  }

  /// A small version of a picture; a note where it is no longer there.
  private func image(_ picture: BenchmarkScores.Picture, _ run: BenchmarkRun) -> String {
    guard let folder = folders[run],
      let whole = try? RGBImage(contentsOf: "\(run.pictures(in: folder))/\(picture.file)"),
      let data = try? part(whole, picture, run).picture.jpeg(quality: 82)
    else { return "<div class=gone>the picture is gone</div>" }
    return "<div class=frame><img loading=lazy alt=\"\(picture.prompt.html)\" "
      + "src=\"data:image/jpeg;base64,\(data.base64EncodedString())\">"
      + "\(boxes(picture, width: whole.width, height: whole.height))</div>"
  }

  /// The boxes of the objects that were found, over the picture.
  private func boxes(_ picture: BenchmarkScores.Picture, width: Int, height: Int) -> String {
    guard let objects = picture.objects, !objects.isEmpty else { return "" }
    let shapes = objects.map { object in
      let (left, top, size) = (object.box[0], object.box[1], object.size)
      let name = [object.color, object.className].compactMap { $0 }.joined(separator: " ")
      return String(
        format: "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>", left, top,
        size.width, size.height) + "\(name.html)</title></rect>"
    }
    return "<svg viewBox=\"0 0 \(width) \(height)\">\(shapes.joined())</svg>"
  }

  private func part(
    _ whole: RGBImage, _ picture: BenchmarkScores.Picture, _ run: BenchmarkRun
  ) -> RGBImage {
    var own = whole
    if let place = picture.place {
      own = whole.gridPart(place, of: run.picturesPerPrompt)
    }
    let longest = max(own.width, own.height)
    guard longest > Self.largest else { return own }
    func side(_ length: Int) -> Int { max(1, length * Self.largest / longest) }
    return own.resized(width: side(own.width), height: side(own.height), filter: .bicubic)
  }
}
