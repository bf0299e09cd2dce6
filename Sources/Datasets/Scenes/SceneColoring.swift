import Foundation
import Pictures

/// A color of objects: the hue in degrees, and the mean saturation and brightness of what has it.
struct SceneColoring {
  let hue, saturation, brightness: Double

  /// The colors by their names.
  static let named: [String: SceneColoring] = [
    "red": .init(hue: 3, saturation: 0.78, brightness: 0.9),
    "orange": .init(hue: 30, saturation: 0.85, brightness: 0.97),
    "yellow": .init(hue: 49, saturation: 0.78, brightness: 0.98),
    "green": .init(hue: 125, saturation: 0.65, brightness: 0.68),
    "blue": .init(hue: 212, saturation: 0.85, brightness: 0.92),
    "purple": .init(hue: 285, saturation: 0.62, brightness: 0.7),
  ]

  /// The least saturation of what has a color, and the most difference of hues from its main one.
  private static let (least, range) = (0.15, 45.0)

  /// An RGBA picture whose main color is replaced: hues near the most frequent one become this one, and
  /// saturation and brightness are multiplied so that their means are as here.
  func callAsFunction(_ picture: Picture) -> Picture {
    precondition(picture.channels == 4, "pictures of emoji are RGBA")
    var values = picture.values
    let pixels = stride(from: 0, to: values.count, by: 4).compactMap { place -> (Int, HSV)? in
      let color = HSV(values[place], values[place + 1], values[place + 2])
      return values[place + 3] > 127 && color.saturation > Self.least ? (place, color) : nil
    }
    var counts = [Int](repeating: 0, count: 36)
    for (_, color) in pixels { counts[Int(color.hue / 10) % 36] += 1 }
    // Neighboring bins belong to one color.
    let sums = counts.indices.map { counts[$0] + counts[($0 + 1) % 36] + counts[($0 + 35) % 36] }
    let main = Double(sums.firstIndex(of: sums.max()!)!) * 10 + 5
    let own = pixels.filter { _, color in
      let distance = abs(color.hue - main)
      return min(distance, 360 - distance) < Self.range
    }
    guard !own.isEmpty else { return picture }
    func mean(_ value: (HSV) -> Double) -> Double {
      own.reduce(0) { $0 + value($1.1) } / Double(own.count)
    }
    let saturations = saturation / mean(\.saturation)
    let brightnesses = brightness / mean(\.brightness)
    for (place, color) in own {
      let changed = HSV(
        hue: hue, saturation: min(1, color.saturation * saturations),
        brightness: min(1, color.brightness * brightnesses))
      values.replaceSubrange(place..<place + 3, with: changed.rgb)
    }
    return Picture(width: picture.width, height: picture.height, channels: 4, values: values)
  }
}

/// A color by hue, saturation and brightness: Smith, 1978.
struct HSV {
  /// In degrees, 0 to 360.
  let hue: Double
  /// 0 to 1.
  let saturation, brightness: Double

  init(hue: Double, saturation: Double, brightness: Double) {
    (self.hue, self.saturation, self.brightness) = (hue, saturation, brightness)
  }

  init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
    let (r, g, b) = (Double(red) / 255, Double(green) / 255, Double(blue) / 255)
    let (most, least) = (max(r, g, b), min(r, g, b))
    let range = most - least
    brightness = most
    saturation = most == 0 ? 0 : range / most
    let sector =
      range == 0
      ? 0 : most == r ? (g - b) / range : most == g ? (b - r) / range + 2 : (r - g) / range + 4
    hue = (sector * 60 + 360).truncatingRemainder(dividingBy: 360)
  }

  var rgb: [UInt8] {
    [5.0, 3, 1].map { offset in
      let place = (offset + hue / 60).truncatingRemainder(dividingBy: 6)
      let share = brightness * (1 - saturation * max(0, min(place, 4 - place, 1)))
      return UInt8((share * 255).rounded())
    }
  }
}
