with member_phones as (
    select * from {{ ref('stg_gold__member_phones') }}
),

customers as (
    select * from {{ ref('int_customers_with_assets') }}
    where {{ is_loaded_date('business_date') }}
),

phones as (
    select
        customer_id,
        business_date,
        mobile_phone_token,
        min(mobile_phone_masked) as mobile_phone_masked,
        count(*) as client_count,
        -- the normal counter asks its clients most often
        min(struct(
            system_code != 'NOR' as is_of_other_counter,
            first_seen_date as first_seen_date,
            first_open_date as first_open_date,
            system_code as system_code,
            client_number as client_number
        )) as first_client
    from member_phones
    group by customer_id, business_date, mobile_phone_token
),

final as (
    select
        phones.business_date as as_of_date,
        phones.customer_id,
        phones.mobile_phone_token,
        phones.mobile_phone_masked,
        cast(row_number() over (
            partition by phones.customer_id, phones.business_date
            order by
                coalesce(phones.mobile_phone_token = customers.mobile_phone_token, false) desc,
                phones.first_client asc
        ) as int) as phone_rank,
        cast(phones.client_count as int) as client_count
    from phones
    inner join customers
        on
            phones.customer_id = customers.customer_id
            and phones.business_date = customers.business_date
)

select * from final
