import Foundation
import Pictures
import Testing

/// `twinflow data inspect`
@Suite struct DataTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    for (name, width) in [("a", 64), ("b", 64), ("c", 32)] {
      try Picture(
        width: width, height: 48, channels: 1,
        values: [UInt8](repeating: UInt8(width), count: width * 48)
      ).write(to: "\(folder.path)/\(name).png")
      try Data("picture \(name)\n".utf8).write(to: file("\(name).txt"))
    }
  }

  private func file(_ name: String) -> URL { URL(filePath: "\(folder.path)/\(name)") }

  /// A recipe for the pictures of the folder.
  private func recipe(batch: Int) throws -> String {
    let text = """
      model: {kind: qwen_image}
      objective: {preset: flow-matching}
      data: {kind: images, folder: \(folder.path), size: [48, 64], buckets: [[64, 48]]}
      optimizer: {kind: adamw, learning_rate: 1e-3}
      start: nowhere
      batch: \(batch)
      steps: 1
      output: \(folder.path)/out
      """
    try Data(text.utf8).write(to: file("recipe.yaml"))
    return "\(folder.path)/recipe.yaml"
  }

  @Test func showsWhatThereIs() throws {
    let sheet = "\(folder.path)-sheet.png"
    defer { try? FileManager.default.removeItem(atPath: sheet) }
    let result = try Command.run("data", "inspect", folder.path, "--sheet", sheet)
    #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
    #expect(
      result.output == """
        \(folder.path): images
          samples     3
          prompts     3 of 9 characters, the median 9
          sizes       48 × 64: 2, 48 × 32: 1  (height × width)
          equal       \(folder.path)/a.png = \(folder.path)/b.png
        Nothing is missing or damaged.
        The pictures are in \(sheet)

        """)
    let page = try Picture.read(sheet).picture
    #expect(page.width > 3 * 128 && page.height > 128)
  }

  @Test func aRecipeSaysWhatTrainingTakes() throws {
    let good = try Command.run("data", "inspect", "--recipe", recipe(batch: 2))
    #expect(good.status == 0, "\(good.errors)")
    #expect(good.output.contains("  brought to  48 × 64: 2\n              64 × 48: 1  (fewer than"))
    let small = try Command.run("data", "inspect", "--recipe", recipe(batch: 4))
    #expect(small.status == 1 && small.output.contains("set batch to 3 or less"))
  }

  @Test func damageAndProblemsEndWithAnError() throws {
    try Data("no picture".utf8).write(to: file("d.jpg"))
    try Data("d".utf8).write(to: file("d.txt"))
    let allowed = try Command.run("data", "inspect", "--recipe", recipe(batch: 2))
    #expect(allowed.status == 0 && allowed.output.contains("leave out 1 damaged picture."))
    let strict = try Command.run(
      "data", "inspect", "--recipe", recipe(batch: 2), "--set", "data.max_damaged=0")
    #expect(strict.status == 1 && strict.output.contains("d.jpg is not a PNG, JPEG or WebP"))
    try Data("e".utf8).write(to: file("e.txt"))
    let wrong = try Command.run("data", "inspect", folder.path)
    #expect(wrong.status == 1 && wrong.output.contains("e.txt has no picture beside it"))
    let none = try Command.run("data", "inspect", "\(folder.path)/none")
    #expect(none.status == 1 && none.errors.contains("There is no file \(folder.path)/none."))
    let option = try Command.run("data", "inspect", folder.path, "--set", "batch=1")
    #expect(option.status == 64 && option.errors.contains("name one with --recipe"))
  }
}
