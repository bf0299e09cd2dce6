import Datasets
import Foundation
import Pictures

/// Patterns in place of the emoji of scripts/emoji-data.
public enum EmojiPictures {
  /// Writes a folder in which each picture has a color and a pattern of its own; their borders are opaque.
  public static func write(to folder: String) throws {
    try FileManager.default.createDirectory(
      atPath: folder + "/train", withIntermediateDirectories: true)
    let side = 24
    for (number, stem) in ScenePictures.stems.enumerated() {
      var random = SeededGenerator(UInt64(number))
      let blocks = (0..<16).map { _ in Bool.random(using: &random) }
      let color = (0..<3).map { _ in UInt8.random(in: 0...200, using: &random) }
      var values: [UInt8] = []
      for y in 0..<side {
        for x in 0..<side {
          let isBorder = x < 3 || y < 3 || x >= side - 3 || y >= side - 3
          let isOpaque = isBorder || blocks[y / 6 * 4 + x / 6]
          values += color + [isOpaque ? 255 : 0]
        }
      }
      try Picture(width: side, height: side, channels: 4, values: values)
        .write(to: "\(folder)/train/\(stem).png")
    }
  }
}
