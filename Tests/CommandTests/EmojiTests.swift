import Foundation
import Pictures
import Testing

/// The text-to-picture model that comes with the program.
@Suite struct EmojiTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// The mean of each channel over the middle half of a picture, and over its corners.
  private func means(_ prompt: String) throws -> (middle: [Double], corners: [Double]) {
    let output = folder.path + "/picture.png"
    let made = try Command.run(
      "generate", prompt, "--model", "Assets/emoji", "--steps", "1", "--seed", "1", "--output",
      output)
    #expect(made.status == 0, "\(made.errors)")
    let picture = try Picture.read(output).picture
    #expect(picture.width == 64 && picture.height == 64)
    func mean(_ isInside: (Int, Int) -> Bool) -> [Double] {
      var (sum, count) = ([0.0, 0, 0], 0.0)
      for y in 0..<64 {
        for x in 0..<64 where isInside(x, y) {
          for channel in 0..<3 {
            sum[channel] += Double(picture.values[(64 * y + x) * 3 + channel])
          }
          count += 1
        }
      }
      return sum.map { $0 / count }
    }
    try FileManager.default.removeItem(atPath: output)
    return (
      mean { (16..<48).contains($0) && (16..<48).contains($1) },
      mean { ($0 < 4 || $0 >= 60) && ($1 < 4 || $1 >= 60) }
    )
  }

  @Test func wordsBecomeEmoji() throws {
    let red = try means("red heart")
    let blue = try means("blue heart")
    let green = try means("green heart")
    for (name, found) in [("red", red), ("blue", blue), ("green", green)] {
      #expect(found.corners.allSatisfy { $0 > 235 }, "\(name): \(found)")
    }
    #expect(red.middle[0] > red.middle[1] + 80 && red.middle[0] > red.middle[2] + 80, "\(red)")
    #expect(blue.middle[2] > blue.middle[0] + 60, "\(blue)")
    #expect(green.middle[1] > green.middle[2] + 40, "\(green)")
  }
}
