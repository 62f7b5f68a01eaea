use anyhow::{Context, Result, bail, ensure};
use half::{bf16, f16};
use std::{collections::HashMap, ops::Range};

const VERSION: u32 = 6;
const SPEC: &str = "WhisperSpec";
const REVISION: u32 = 3;

/// A model file of CTranslate2 in memory: named variables, one after the other.
pub(super) struct Ct2 {
    bytes: Vec<u8>,
    variables: HashMap<String, Variable>,
}

struct Variable {
    /// Slowest dimension first.
    shape: Vec<usize>,
    data_type: u8,
    place: Range<usize>,
}

impl Ct2 {
    /// Reads the table of variables.
    pub(super) fn parse(bytes: Vec<u8>) -> Result<Ct2> {
        let mut reader = Reader { bytes: &bytes, at: 0 };
        let variables = reader.variables()?;
        Ok(Ct2 { variables, bytes })
    }

    /// True when the model has this variable.
    pub(super) fn has(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// Returns the shape of a variable, which must have `N` dimensions.
    pub(super) fn shape<const N: usize>(&self, name: &str) -> Result<[usize; N]> {
        let shape = &self.variable(name)?.shape;
        <[usize; N]>::try_from(shape.as_slice())
            .ok()
            .with_context(|| format!("{name} has the shape {shape:?}: {N} dimensions are expected"))
    }

    /// Returns the values of a variable.
    pub(super) fn floats(&self, name: &str) -> Result<Vec<f32>> {
        let variable = self.variable(name)?;
        let bytes = &self.bytes[variable.place.clone()];
        let (four, two) = (bytes.as_chunks().0, bytes.as_chunks().0);
        let values: Vec<f32> = match variable.data_type {
            0 => four.iter().copied().map(f32::from_le_bytes).collect(),
            4 => two.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
            5 => two.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect(),
            other => bail!("{name} has the data type {other}: only floats can be converted"),
        };
        let expected: usize = variable.shape.iter().product();
        ensure!(
            values.len() == expected,
            "{name} has {} values for its shape {:?}",
            values.len(),
            variable.shape
        );
        Ok(values)
    }

    /// Returns the value of a variable that is one small integer.
    pub(super) fn count(&self, name: &str) -> Result<usize> {
        let bytes = &self.bytes[self.variable(name)?.place.clone()];
        let value = match *bytes {
            [a] => i32::from(a as i8),
            [a, b] => i32::from(i16::from_le_bytes([a, b])),
            [a, b, c, d] => i32::from_le_bytes([a, b, c, d]),
            _ => bail!("{name} has {} bytes: one number is expected", bytes.len()),
        };
        usize::try_from(value).with_context(|| format!("{name} is {value}"))
    }

    fn variable(&self, name: &str) -> Result<&Variable> {
        self.variables
            .get(name)
            .with_context(|| format!("the model has no variable {name}"))
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn variables(&mut self) -> Result<HashMap<String, Variable>> {
        let version = self.u32()?;
        ensure!(
            version == VERSION,
            "not a CTranslate2 model of version {VERSION} (its version is {version})"
        );
        let spec = self.string()?;
        ensure!(spec == SPEC, "a CTranslate2 model, but a {spec}, not a {SPEC}");
        let revision = self.u32()?;
        ensure!(
            revision == REVISION,
            "{SPEC} of revision {revision}: only {REVISION} is supported"
        );
        let mut variables = HashMap::new();
        for _ in 0..self.u32()? {
            let name = self.string()?;
            variables.insert(name, self.variable()?);
        }
        // Aliases are other names of the same variables, and are not needed.
        for _ in 0..self.u32()? {
            self.string()?;
            self.string()?;
        }
        let rest = self.bytes.len() - self.at;
        ensure!(rest == 0, "{rest} bytes follow the model's end");
        Ok(variables)
    }

    fn variable(&mut self) -> Result<Variable> {
        let [rank] = self.array()?;
        let shape = (0..rank)
            .map(|_| Ok(self.u32()? as usize))
            .collect::<Result<_>>()?;
        let [data_type] = self.array()?;
        let length = self.u32()? as usize;
        let start = self.at;
        self.take(length)?;
        Ok(Variable {
            shape,
            data_type,
            place: start..self.at,
        })
    }

    fn take(&mut self, length: usize) -> Result<&[u8]> {
        let end = self.at.saturating_add(length);
        let taken = self
            .bytes
            .get(self.at..end)
            .context("the model file is truncated")?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into()?)
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Reads a string: a 16-bit length that includes the final NUL, and the bytes.
    fn string(&mut self) -> Result<String> {
        let length = u16::from_le_bytes(self.array()?);
        let text = self.take(usize::from(length))?;
        let text = text
            .strip_suffix(&[0])
            .context("a name that does not end with NUL")?;
        Ok(std::str::from_utf8(text)
            .context("a name that is not UTF-8")?
            .to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> Vec<u8> {
        let length = (text.len() as u16 + 1).to_le_bytes();
        [&length, text.as_bytes(), &[0]].concat()
    }

    /// A model with the variable `x` = [[1, 2]].
    fn model() -> Vec<u8> {
        let ints = |values: &[u32]| -> Vec<u8> { values.iter().flat_map(|v| v.to_le_bytes()).collect() };
        [
            ints(&[VERSION]),
            string(SPEC),
            ints(&[REVISION, 1]),
            string("x"),
            vec![2],
            ints(&[1, 2]),
            vec![0],
            ints(&[8]),
            [1f32, 2.0].iter().flat_map(|v| v.to_le_bytes()).collect(),
            ints(&[0]),
        ]
        .concat()
    }

    #[test]
    fn reads_variables() {
        let model = Ct2::parse(model()).unwrap();
        assert_eq!(model.shape("x").unwrap(), [1, 2]);
        assert_eq!(model.floats("x").unwrap(), [1.0, 2.0]);
        assert!(
            model
                .floats("y")
                .unwrap_err()
                .to_string()
                .contains("no variable y")
        );
        assert!(model.shape::<1>("x").is_err());
        assert!(model.count("x").is_err());
    }

    #[test]
    fn refuses_every_truncation() {
        let whole = model();
        for length in 0..whole.len() {
            assert!(Ct2::parse(whole[..length].to_vec()).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn refuses_other_files() {
        let error = Ct2::parse(b"GGUF and more".to_vec()).err().unwrap();
        assert!(error.to_string().contains("not a CTranslate2 model"), "{error}");
        let longer = [model(), vec![0]].concat();
        assert!(Ct2::parse(longer).is_err());
    }
}
