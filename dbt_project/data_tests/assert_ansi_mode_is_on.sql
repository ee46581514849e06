-- Without ANSI mode an overflowing sum becomes null, silently, and dbt-spark switches it off (see dbt_project.yml). SQL
-- cannot read the setting, but it shows: text beside a number is read as a number only in ANSI mode.
with shown_by as (
    select typeof(coalesce('1', 1)) as common_type
)

select common_type
from shown_by
where common_type = 'string'
